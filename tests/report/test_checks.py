"""Each check on a run made by hand that keeps it, and on one that breaks it; then the verdicts."""

import json

import pytest

from prisam_p2p.measure.records import GUARDED
from prisam_p2p.report.checks import check_lines, checks_json, run_checks
from prisam_p2p.report.exclusions import left_out, left_out_lines
from prisam_p2p.report.faults import fault_lines, fault_verdicts
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.verdicts import judge

GROUPS = {"a": 0, "b": 0, "c": 1, "d": 1}
RIGHT = {"a": 1, "b": 1, "c": 0, "d": 0}
WRONG = {"a": 0, "b": 1, "c": 0, "d": 1}


def occurrence(kind, peers=(), links=(), name="f#0"):
    return {"id": name, "kind": kind, "peers": list(peers), "links": [list(x) for x in links]}


class Story:
    """Four peers, four rounds of ten seconds; b and a, d and c pull from each other."""

    def __init__(self):
        states = dict.fromkeys(GROUPS, "completed")
        self.lines = {"launcher": [(50, "run_ended", {"status": "completed", "states": states})]}
        self.states, self.occurrences = states, []
        self.settings, self.hosts = {"pull": "whole"}, None
        for peer in GROUPS:
            self.lines[peer] = [x for t in range(4) for x in self.round_of(peer, t)]
            self.tell(peer, 45, "deployed", test=0.8)

    def round_of(self, peer, t):
        at_s, other = 10 * t, {"a": "b", "b": "a", "c": "d", "d": "c"}[peer]
        digest = f"{other}{t}"
        heard = sorted(set(GROUPS) - {peer})
        pulled = {"round": t, "donor": other, "digest": digest, "wall_s": 1, "fetched_bytes": 9}
        return [
            (at_s + 1, "trained", {"round": t, "loss": 0.5}),
            (at_s + 2, "offered", {"round": t, "digest": f"{peer}{t}"}),
            (at_s + 2, "announced", {"round": t}),
            (at_s + 3, "heard", {"round": t, "peers": heard, "missing": {}}),
            (at_s + 4, "grouped", {"round": t, "labels": RIGHT, "group": sorted([peer, other])}),
            (at_s + 6, "pulled", pulled),
            (at_s + 7, "aggregated", {"round": t, "members": sorted([peer, other])}),
            (at_s + 9, "traffic", {"round": t, "final": False, "rows": []}),
        ]

    def tell(self, who, t_s, record, **fields):
        self.lines[who].append((t_s, record, fields))

    def change(self, who, record, t, **fields):
        for _, name, values in self.lines[who]:
            if name == record and values["round"] == t:
                values |= fields

    def drop(self, who, since_s):
        self.lines[who] = [line for line in self.lines[who] if line[0] < since_s]

    def fault(self, kind, peer, began_s, healed_s=None, **rest):
        self.occurrences = [occurrence(kind, **({"peers": [peer]} | rest))]
        self.tell("launcher", began_s, "fault_applied", fault="f#0", kind=kind, peer=peer, late_s=0)
        if healed_s is not None:
            self.tell("launcher", healed_s, "fault_healed", fault="f#0", peer=peer)

    def folder(self, path):
        (path / "journal").mkdir(parents=True)
        plan = {"settings": self.settings, "peers": {p: {"group": g} for p, g in GROUPS.items()}}
        plan |= {"hosts": self.hosts} if self.hosts else {}
        (path / "plan.json").write_text(json.dumps(plan))
        if self.occurrences:
            faults = {"occurrences": self.occurrences}
            (path / "faults.json").write_text(json.dumps(faults))
        for who, lines in self.lines.items():
            text = [json.dumps({"t_s": t, "record": r} | f) for t, r, f in sorted_by_time(lines)]
            (path / "journal" / f"{who}.jsonl").write_text("".join(f"{x}\n" for x in text))
        return RunFolder(path)


def sorted_by_time(lines):
    return sorted(lines, key=lambda line: line[0])


def judgement(checks):
    judged = judge({"closure": {"failures": []}, "checks": checks, "faults": []})
    return judged.broken, judged.undecided


def checked(story, path, name):
    """Return a check's verdict, how many things it judged, and why it is not true."""
    (found,) = [c for c in run_checks(story.folder(path)) if c.check == name]
    return found.verdict, found.judged, found.why


def broken(story, path):
    """Return check -> why, of those that do not hold."""
    return {c.check: c.why for c in run_checks(story.folder(path)) if c.verdict == "false"}


def test_a_quiet_run_keeps_all(tmp_path):
    checks = checks_json(run_checks(Story().folder(tmp_path)))
    assert [(c["check"], c["verdict"], c["judged"], c["things"]) for c in checks] == [
        ("final states", "true", 4, "peers"),
        ("progress after heal", "not judged", 0, "heals"),
        ("nothing across a cut", "not judged", 0, "cut links"),
        ("no stale snapshot", "true", 16, "pulls"),
        ("no poison", "true", 16, "losses and averages"),
        ("groups recovered", "not judged", 0, "clusterings"),
    ]
    assert check_lines(checks) == [
        "checks: 3 hold, 3 not judged (progress after heal: no fault was healed; "
        "nothing across a cut: no link was cut; groups recovered: no fault fired)"
    ]
    assert judgement(checks) == ([], [])


def test_a_run_without_peers_and_messages_is_judged_by_nothing(tmp_path):
    story = Story()
    story.states.clear()
    for peer in GROUPS:
        story.lines[peer] = []
    checks = run_checks(story.folder(tmp_path))
    assert {c.verdict for c in checks} == {"not judged"}
    assert all(c.why for c in checks)


def test_a_run_that_was_stopped_decides_nothing(tmp_path):
    story = Story()
    story.lines["launcher"] = []
    checks = run_checks(story.folder(tmp_path))
    assert {c.verdict for c in checks} == {"unknown"}
    lines = check_lines(checks_json(checks))
    assert lines[:2] == [
        "checks: 0 hold, 6 unknown",
        "  final states: unknown, the run did not come to its end",
    ]


def test_a_lost_peer(tmp_path):
    story = Story()
    story.states |= {"b": "died with 1", "c": "died with -9 as planned"}
    assert broken(story, tmp_path) == {"final states": "b died with 1"}


@pytest.mark.parametrize(("healed_s", "until_s", "expected"), [
    (15, 99, ("true", 1, "")),
    (40, 99, ("not judged", 0, "no healed peer had a round left")),
    (None, 99, ("not judged", 0, "no fault was healed")),
    (9.5, 10, ("false", 1, "a ended a round after f#0 never")),
])  # fmt: skip
def test_progress_after_a_heal(tmp_path, healed_s, until_s, expected):
    story = Story()
    story.fault("pause", "a", 5, healed_s)
    story.drop("a", until_s)
    assert checked(story, tmp_path, "progress after heal") == expected


def test_progress_that_is_late(tmp_path):
    story = Story()
    story.fault("pause", "a", 1, 2)
    story.lines["a"] = [x for x in story.lines["a"] if x[1] != "traffic" or x[0] > 35]
    assert broken(story, tmp_path)["progress after heal"].startswith(
        "a ended a round after f#0 only"
    )


@pytest.mark.parametrize(("began_s", "healed_s", "crossed"), [
    (0.5, 3.5, "b heard a in round 0 across f#0"),
    (1.5, 3.5, ""),  # trained before it: its mask may have gone at once
    (4.5, 6.5, "b pulled from a in round 0 across f#0"),
    (2.5, 3.5, ""),
    (5.5, 8, ""),
])  # fmt: skip
def test_what_came_across_a_cut(tmp_path, began_s, healed_s, crossed):
    story = Story()
    for peer in "ab":
        story.fault("cut", peer, began_s, healed_s, peers=[], links=[("a", "b")])
    expected = ("false" if crossed else "true", 1, crossed)
    assert checked(story, tmp_path, "nothing across a cut") == expected


def test_a_link_whose_ends_were_never_cut_off_together_was_not_cut(tmp_path):
    story = Story()
    story.fault("cut", "a", 1, 2, peers=[], links=[("a", "b")])
    story.fault("cut", "b", 3, 4, peers=[], links=[("a", "b")])
    expected = ("not judged", 0, "no link was cut")
    assert checked(story, tmp_path, "nothing across a cut") == expected


def test_stale_weights(tmp_path):
    story = Story()
    story.change("b", "pulled", 2, digest="a1")
    why = "b took weights of a that it never offered in that round"
    assert broken(story, tmp_path) == {"no stale snapshot": why}


HOSTS = {
    "hosts": {h: {"node": h, "address": f"10.0.0.{h[1:]}"} for h in ("h1", "h2")},
    "placement": {"a": "h2", "b": "h1", "c": "h1", "d": "h1"},
}


def lose_host_of_a(story, lost_s, last_s):
    """The host of a is lost, and its journal from `last_s` on with it."""
    story.hosts = HOSTS
    story.drop("a", last_s)
    lost = {"host": "h2", "node": "h2", "reason": "", "silent_s": 1.0, "peers": ["a"]}
    story.tell("launcher", lost_s, "host_lost", **lost)


def test_weights_whose_offer_was_lost_with_a_host_are_not_judged(tmp_path):
    story = Story()
    lose_host_of_a(story, lost_s=27, last_s=20)  # a offered at 22, b took it at 26
    story.drop("b", 30)
    verdict, judged, _ = checked(story, tmp_path, "no stale snapshot")
    assert (verdict, judged) == ("true", 12)  # of 13


@pytest.mark.parametrize("on_hosts", [True, False])
def test_weights_whose_offer_was_lost_with_the_launcher_are_not_judged(tmp_path, on_hosts):
    """On one host nothing is lost with it: peers write their journals themselves."""
    story = Story()
    if on_hosts:
        up = {"host": "h2", "node": "h2", "address": "10.0.0.2", "mtu": 1500}
        story.tell("launcher", 2, "host_up", **up)
    story.drop("a", 20)
    story.tell("launcher", 40, "run_started", run_id="r", launches=1)
    story.tell("a", 41, "started", peer="a", incarnation=1)
    story.drop("b", 30)
    verdict, judged, _ = checked(story, tmp_path, "no stale snapshot")
    assert (verdict, judged) == (("true", 12) if on_hosts else ("false", 13))


def test_weights_that_a_lost_peer_surely_never_offered_are_stale(tmp_path):
    story = Story()
    story.change("b", "pulled", 1, digest="a0")
    lose_host_of_a(story, lost_s=27, last_s=20)
    story.drop("b", 30)
    why = "b took weights of a that it never offered in that round"
    assert broken(story, tmp_path)["no stale snapshot"] == why


def test_weights_of_the_next_process_of_a_lost_peer_are_judged_again(tmp_path):
    story = Story()
    lose_host_of_a(story, lost_s=21, last_s=20)
    story.tell("a", 25, "started", peer="a", incarnation=1)
    story.tell("a", 25.5, "offered", round=2, digest="new")
    story.drop("b", 30)
    why = "b took weights of a that it never offered in that round"
    assert broken(story, tmp_path)["no stale snapshot"] == why


def test_parts_of_a_snapshot_are_not_judged_by_its_digest(tmp_path):
    story = Story()
    story.settings["pull"] = "overlap"
    story.change("b", "pulled", 2, digest="part")
    why = "with pull = overlap a donor gives parts, whose digests it does not record"
    assert checked(story, tmp_path, "no stale snapshot") == ("not judged", 0, why)


def test_poison_that_was_averaged(tmp_path):
    story = Story()
    story.fault("nan", "a", 0)
    assert broken(story, tmp_path) == {"no poison": "b averaged f#0 of a"}


def test_a_loss_that_is_no_number(tmp_path):
    story = Story()
    story.change("c", "trained", 3, loss=float("nan"))
    assert broken(story, tmp_path) == {"no poison": "c trained to a loss that is no number"}


def test_groups_that_are_lost_for_good(tmp_path):
    story = Story()
    story.fault("pause", "a", 12, 13)
    for peer in GROUPS:
        story.change(peer, "grouped", 3, labels=WRONG)
    assert "groups recovered" in broken(story, tmp_path)


def test_groups_are_not_judged_where_faults_go_on_into_the_last_round(tmp_path):
    story = Story()
    story.fault("pause", "a", 12, 35)
    for peer in GROUPS:
        story.change(peer, "grouped", 3, labels=WRONG)
    checks = checks_json(run_checks(story.folder(tmp_path)))
    assert check_lines(checks) == [
        "checks: 4 hold, 2 not judged (nothing across a cut: no link was cut; "
        "groups recovered: faults go on into the last round)"
    ]
    assert judgement(checks) == ([], [])


def test_groups_that_are_found_again(tmp_path):
    story = Story()
    story.fault("pause", "a", 12, 13)
    assert checked(story, tmp_path, "groups recovered") == ("true", 4, "")


def test_groups_are_not_judged_where_the_data_have_none(tmp_path):
    story = Story()
    story.fault("pause", "a", 12, 13)
    for peer in GROUPS:
        for t in range(4):
            story.change(peer, "grouped", t, labels={})
    why = "the data have no groups, or no peer clustered"
    assert checked(story, tmp_path, "groups recovered") == ("not judged", 0, why)


def test_groups_are_not_judged_where_faults_begin_before_any_are_found(tmp_path):
    story = Story()
    story.fault("pause", "a", 2, 3)
    assert run_checks(story.folder(tmp_path))[-1].why == "faults begin before the first grouping"


# --- verdicts ---


def verdict(story, path, **more):
    (found,) = fault_verdicts(story.folder(path), **more)
    return found


def test_a_fault_with_evidence_is_true(tmp_path):
    story = Story()
    story.fault("pause", "a", 12, 13)
    story.tell("launcher", 12.5, "fault_verified", fault="f#0", peer="a", evidence="..")
    assert (verdict(story, tmp_path).verdict, verdict(story, tmp_path / "again").why) == (
        "true",
        "",
    )


@pytest.mark.parametrize(
    ("kind", "expected"), [("kill", "false"), ("pause", "unknown"), ("drop", "unknown")]
)
def test_a_fault_without_evidence(tmp_path, kind, expected):
    story = Story()
    story.fault(kind, "a", 12, 13)
    found = verdict(story, tmp_path)
    assert (found.verdict, found.why) == (expected, "no evidence that it bit at a")
    said = {"closure": {"failures": []}, "checks": [], "faults": [vars(found)]}
    judged = judge(said)
    assert (judged.broken, judged.undecided)[expected == "unknown"] == [f"fault f#0: {found.why}"]


def test_a_fault_that_was_planned_for_nobody_is_not_judged(tmp_path):
    story = Story()
    story.occurrences = [occurrence("kill")]
    found = verdict(story, tmp_path)
    assert (found.fired, found.contained, found.verdict) == (False, None, "not judged")
    assert fault_lines([vars(found)]) == [
        "faults: 0 fired, bit and were contained, 1 not judged "
        "(f#0: it had no targets: all were down, or the guard forbade it)"
    ]


@pytest.mark.parametrize(("reason", "expected"), [
    (GUARDED, ("not judged", "the guard kept it from firing")),
    ("the peer was down", ("unknown", "it hit no peer: a was down")),
    (None, ("false", "it never fired")),
])  # fmt: skip
def test_a_fault_that_did_not_fire(tmp_path, reason, expected):
    story = Story()
    story.occurrences = [occurrence("kill", ["a"])]
    if reason:
        story.tell("launcher", 12, "fault_missed", fault="f#0", peer="a", reason=reason)
    found = verdict(story, tmp_path)
    assert (found.verdict, found.why) == expected
    assert (found.fired, found.contained) == (False, None)


def test_a_fault_that_was_not_contained_is_told_in_a_line_of_its_own(tmp_path):
    story = Story()
    story.states["b"] = "died with 1"
    story.fault("pause", "a", 12, 13)
    story.tell("launcher", 12.5, "fault_verified", fault="f#0", peer="a", evidence="..")
    found = verdict(story, tmp_path)
    assert (found.fired, found.verified, found.contained) == (True, True, False)
    assert fault_lines([vars(found)]) == [
        "faults: 0 fired, bit and were contained, 1 false",
        "  f#0: false, not contained: b died with 1",
    ]


def test_what_a_fault_cost(tmp_path):
    story = Story()
    story.fault("kill", "a", 12, 30)
    for t_s, donor in ((11, "a"), (13, "a"), (14, "c"), (31, "a")):
        story.tell("b", t_s, "pull_failed", donor=donor, fetched_bytes=100)
    story.tell("b", 15, "rejected", donor="a", fetched_bytes=20)
    control = Story()
    control.lines["a"][-1][2]["test"] = 0.9
    found = verdict(story, tmp_path / "run", control_run=control.folder(tmp_path / "control"))
    assert found.bytes_wasted == 120
    assert found.accuracy_change == pytest.approx(-0.1)


# -- left out without a fault ----------------------------------------------------------------


def lost(left):
    return left["masks"], left["pulls"]


def missing(story, peer, *others):
    story.change(peer, "heard", 1, missing=dict.fromkeys(others, "no mask within 10.0 s"))


def test_where_all_were_in_time_nothing_is_left_out(tmp_path):
    left = left_out(Story().folder(tmp_path))
    assert left == {"masks": 0, "pulls": 0, "rounds": 0, "judged": 4 * 4 * 3 + 4 * 4}
    assert left_out_lines(left) == []


def test_where_faults_hit_all_but_one_nothing_left_out_is_judged(tmp_path):
    story = Story()
    story.occurrences = [occurrence("pause", "abc")]
    left = left_out(story.folder(tmp_path))
    assert left == {"masks": 0, "pulls": 0, "rounds": 0, "judged": 0}
    assert left_out_lines(left) == [
        "left out between peers that no planned fault hit: "
        "not judged, no such peer waited for another"
    ]


def test_who_is_late_by_itself_is_told_apart_from_who_is_hit_or_is_late_for_who_is_hit(tmp_path):
    story = Story()
    story.fault("pause", "a", 5, 15)
    missing(story, "a", "b", "c")  # it was away
    missing(story, "b", "a", "c")  # a is hit, c is not
    story.tell("d", 15, "pull_failed", round=1, donor="c", reason="no byte for 60 s")
    story.tell("d", 15, "pull_failed", round=1, donor="a", reason="connection closed")
    left = left_out(story.folder(tmp_path))
    assert lost(left) == (1, 1)
    (line,) = left_out_lines(left)
    assert line.startswith("left out between peers that no planned fault hit: 1 mask, 1 pull;")


def test_rounds_that_a_peer_skipped_with_an_older_state_are_left_out(tmp_path):
    story = Story()
    story.tell("b", 15, "resumed", state_round=2, round=2, source="state", donor=None)
    story.tell("c", 15, "resumed", state_round=0, round=2, source="fresh", donor=None)
    left = left_out(story.folder(tmp_path))
    assert left["rounds"] == 2
    (line,) = left_out_lines(left)
    assert line.endswith("2 rounds; another run may differ")


def test_who_said_bye_is_not_left_out(tmp_path):
    """As one does that reached --target-loss."""
    story = Story()
    story.change("b", "heard", 1, missing={"a": "left before round 1", "c": "connection closed"})
    assert lost(left_out(story.folder(tmp_path))) == (1, 0)


def test_a_link_that_a_fault_hits_concerns_both_its_ends(tmp_path):
    story = Story()
    story.fault("cut", "a", 5, 15, peers=[], links=[("a", "b"), ("b", "a")])
    missing(story, "a", "b")
    missing(story, "c", "d")
    assert lost(left_out(story.folder(tmp_path))) == (1, 0)


def test_of_a_round_that_was_done_again_the_last_time_counts(tmp_path):
    """A resumed run does a round again that some peers had done."""
    story = Story()
    story.tell("d", 15, "pull_failed", round=1, donor="c", reason="no byte for 60 s")
    story.tell("d", 16, "heard", round=1, peers=["a", "b"], missing={"c": "no mask within 10.0 s"})
    assert lost(left_out(story.folder(tmp_path))) == (1, 0)
