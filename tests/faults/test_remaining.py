from prisam_p2p.faults.fault_plan import FaultPlan
from prisam_p2p.faults.remaining import ResumePoint, gone_for_good, left_of, open_hits


def occurrence(name, kind, peers, trigger, heal, **more):
    fixed = {"occurrence": 0, "links": [], "parameters": {}}
    heal = {"never": True} if heal is None else heal
    what = {"id": f"{name}#0", "fault": name, "kind": kind, "peers": peers, "trigger": trigger}
    return {**fixed, **what, "heal": heal, **more}


def plan(*occurrences):
    head = {"schema": 1, "scenario": "s", "seed": 0, "rounds": 9, "most_down": 2}
    peers = ["p00", "p01", "p02"]
    return FaultPlan.model_validate({**head, "peers": peers, "occurrences": list(occurrences)})


def line(record, fault, peer, t_s):
    return {"record": f"fault_{record}", "fault": f"{fault}#0", "peer": peer, "t_s": t_s}


AT = {"round": 2, "phase": "train"}
KILL = occurrence("k", "kill", ["p00", "p01"], AT, None)
NAP = occurrence("nap", "pause", ["p02"], {"time_s": 4.0}, {"after_s": 1.0})


def left(plan, *history):
    """The rounds began at 10 s, the launcher died at 30 s, and the run goes on with round 4."""
    rest = left_of(plan, history, ResumePoint(10.0, 30.0, 4))
    return {each.id: (each.peers, each.trigger.model_dump()) for each in rest.occurrences}


def test_what_was_applied_is_not_done_again():
    faults = plan(KILL, NAP)
    assert list(left(faults)) == ["k#0", "nap#0"]
    applied = [line("applied", "k", "p00", 12.0)]
    assert left(faults, *applied) == {"k#0": (["p01"], AT), "nap#0": (["p02"], {"time_s": 4.0})}
    applied += [line("applied", "k", "p01", 12.5), line("applied", "nap", "p02", 14.0)]
    assert left(faults, *applied) == {}


def test_links_are_hit_at_once_by_whoever_was_first():
    links = {"links": [["p00", "p01"], ["p01", "p00"]]}
    cut = occurrence("cut", "isolate", ["p00"], AT, {"round": 3}, **links)
    assert left(plan(cut)) == {"cut#0": (["p00"], AT)}
    assert left(plan(cut), line("applied", "cut", "p00", 12.0)) == {}


def test_what_lasts_by_rounds_begins_again_with_the_first_one():
    """Of what was under way; what had been healed, or would be by now, is over."""
    again = {"round": 4, "phase": "train"}
    applied = line("applied", "f", "p00", 12.0)
    for kind, heal, lasts in (
        ("drop", {"round": 6}, True),
        ("drop", {"round": 4}, False),
        ("drop", {"after_s": 99.0}, False),
        ("nan", {"never": True}, True),
        ("kill", {"round": 6}, True),
        ("kill", {"never": True}, False),
    ):
        parameters = {"message": "mask"} if kind == "drop" else {}
        fault = plan(occurrence("f", kind, ["p00"], AT, heal, parameters=parameters))
        assert left(fault, applied) == ({"f#0": (["p00"], again)} if lasts else {})
        assert left(fault, applied, line("healed", "f", "p00", 13.0)) == {}
    assert open_hits([applied, line("healed", "f", "p00", 13.0), applied]) == {("f#0", "p00")}


def test_what_waits_for_a_fault_that_is_done_comes_at_its_time():
    """The rounds began at 10 s: 3 s after the nap was over, or, if it was not, after the death."""
    after = {"after": "nap#0", "edge": "healed", "delay_s": 3.0}
    faults = plan(NAP, occurrence("then", "kill", ["p01"], after, None))
    assert left(faults)["then#0"] == (["p01"], after)
    applied, healed = line("applied", "nap", "p02", 14.0), line("healed", "nap", "p02", 15.0)
    assert left(faults, applied, healed) == {"then#0": (["p01"], {"time_s": 8.0})}
    assert left(faults, applied) == {"then#0": (["p01"], {"time_s": 23.0})}


def test_gone_for_good_is_who_was_taken_away_and_is_not_to_come_back():
    back = occurrence("b", "kill", ["p02"], AT, {"round": 4})
    faults = plan(KILL, back, NAP)
    hits = (("k", "p00"), ("b", "p02"))
    history = [line(what, *hit, 12.0) for hit in hits for what in ("applied", "verified")]
    assert gone_for_good(faults, history) == {"p00"}


def test_what_nobody_saw_bite_is_done_again_where_its_round_comes_again():
    """The launcher died between a fault and its evidence; the run goes on with round 4."""
    applied, seen = line("applied", "k", "p00", 29.9), line("verified", "k", "p00", 29.95)
    for at, heal, comes in ((4, None, True), (6, {"round": 7}, True), (3, None, False)):
        trigger = {"round": at, "phase": "announce"}
        faults = plan(occurrence("k", "kill", ["p00"], trigger, heal))
        assert left(faults, applied) == ({"k#0": (["p00"], trigger)} if comes else {})
        assert gone_for_good(faults, [applied]) == set()
        begins_again = {"k#0": (["p00"], {"round": 4, "phase": "train"})} if heal else {}
        assert left(faults, applied, seen) == begins_again
        assert gone_for_good(faults, [applied, seen]) == (set() if heal else {"p00"})
        assert left(faults, applied, line("healed", "k", "p00", 29.97)) == {}


def test_places_change_hands_again_in_rounds_that_are_done_again():
    """Whatever was seen of it; a change before those rounds is over."""

    def change(round_index, comes, leaves):
        at = {"round": round_index, "phase": "train"}
        new = occurrence("t", "replace", [comes], at, None, parameters={"to": "same"})
        return occurrence("t-leaves", "leave", [leaves], at, None), new

    def seen(comes, leaves):
        whom = (("t", comes), ("t-leaves", leaves))
        return [line(word, *hit, 12.0) for word in ("applied", "verified") for hit in whom]

    for t, over in ((3, True), (4, False), (5, False)):
        faults = plan(*change(t, "p01", "p00"))
        for history in ([], seen("p01", "p00")):
            assert [*left(faults, *history)] == ([] if over else ["t-leaves#0", "t#0"])
            assert gone_for_good(faults, history) == set()
