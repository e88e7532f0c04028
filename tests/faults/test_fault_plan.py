import json

import pytest
from hand_faults import fault, full, neighbors, plan, star

from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.barrier_plan import barriers_of, transfer_stops
from prisam_p2p.faults.fault_plan import read_fault_plan

ALL = 'peers = "all"'
EVERYTHING = "\n\n".join(
    [
        fault('peers = ["p01"]', id="a", kind="pause"),
        fault("loss = 0.5", id="b", kind="shape", at="{ time_s = 1 }")
        + "\nheal = { after_s = 2.0 }",
        fault(ALL, id="c", at='{ event = "transfer", share = 0.5 }'),
        fault(ALL, id="d", kind="restart", at='{ after = "a", edge = "healed" }'),
        fault('groups = [["p00"], ["p01"]]', id="e", kind="partition"),
    ]
)


# --- the file ---


def test_a_plan_survives_its_file(tmp_path):
    whole = plan(EVERYTHING, star(3))
    (tmp_path / "faults.json").write_text(whole.to_json())
    again = read_fault_plan(tmp_path / "faults.json")
    assert again == whole
    assert again.to_json() == whole.to_json()


def test_a_plan_is_written_as_documented():
    text = plan(fault('peers = ["p01"]', id="nap", kind="pause"), star(3), seed=4).to_json()
    assert json.loads(text) == {
        "schema": 1, "scenario": "hand", "seed": 4, "rounds": 12, "peers": ["p00", "p01", "p02"],
        "most_down": 3,
        "occurrences": [{
            "id": "nap#0", "fault": "nap", "occurrence": 0, "kind": "pause",
            "peers": ["p01"], "links": [],
            "trigger": {"round": 1, "phase": "train"}, "heal": {"round": 2}, "parameters": {},
            "already_down": 0, "cut_to_fit": 0, "guard_at_run_time": False,
        }],
    }  # fmt: skip


def test_the_forms_of_trigger_and_heal():
    data = json.loads(plan(EVERYTHING, star(3)).to_json())
    a, b, c, d, e = data["occurrences"]
    assert (b["trigger"], b["heal"]) == ({"time_s": 1.0}, {"after_s": 2.0})
    assert (c["trigger"], c["heal"]) == ({"event": "transfer", "share": 0.5}, {"never": True})
    assert d["trigger"] == {"after": "a#0", "edge": "healed", "delay_s": 0.0}
    assert a["heal"] == {"round": 2}
    assert e["links"] == [["p00", "p01"], ["p01", "p00"]]
    assert e["parameters"] == {"one_way": False, "groups": [["p00"], ["p01"]]}


def change(occurrence, **values):
    def to(data):
        data["occurrences"][occurrence].update(values)

    return to


def set_key(key, value):
    def to(data):
        data[key] = value

    return to


@pytest.mark.parametrize(
    ("to", "message"),
    [
        (set_key("schema", 2), r"schema = 2: expected 1"),
        (set_key("seeds", 2), r"seeds = 2: expected a known key; the nearest is seed"),
        (set_key("rounds", 0), r"rounds = 0: expected a number of at least 1"),
        (set_key("peers", ["p00"]), r"occurrences\[0\] = 'p01': expected one of the plan's peers"),
        (change(0, id="a#1"), r"occurrences\[0\]\.id = 'a#1': expected a#0"),
        (change(1, id="a#0", fault="a"), r"occurrences\[1\]\.id = 'a#0': expected every id once"),
        (change(0, kind="nap"), r"occurrences\[0\]\.kind = 'nap': expected a kind of fault"),
        (change(0, trigger={}), r"occurrences\[0\]\.trigger = "),
        (change(0, trigger=3), r"occurrences\[0\]\.trigger = 3"),
        (
            change(0, trigger={"round": -1, "phase": "pull"}),
            r"occurrences\[0\]\.trigger\.round = -1: expected a number of at least 0",
        ),
        (
            change(3, trigger={"after": "x#0", "edge": "healed", "delay_s": 0}),
            r"occurrences\[3\]\.trigger\.after = 'x#0': expected the id of an occurrence",
        ),
        (change(0, heal={"rounds": 1}), r"occurrences\[0\]\.heal = "),
        (change(1, parameters={"los": 1}), r"occurrences\[1\]\.parameters\.los = 1: .*nearest is"),
        (change(1, parameters={"loss": 2}), r"occurrences\[1\]\.parameters\.loss = 2: expected a"),
        (change(4, parameters={}), r"occurrences\[4\]\.parameters\.groups = \(missing\)"),
        (change(4, links=[["p00", "p9"]]), r"occurrences\[4\] = 'p9': expected one of the plan's"),
    ],
)  # fmt: skip
def test_refusals_of_plans(tmp_path, to, message):
    data = json.loads(plan(EVERYTHING, star(3)).to_json())
    to(data)
    path = tmp_path / "faults.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ConfigError, match=r"faults\.json: " + message):
        read_fault_plan(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, r"= 'no JSON'"), ("{", r"= 'no JSON'"), ("[]", r"= 'list': expected a run's faults")],
)
def test_refusals_of_files(tmp_path, text, message):
    if text is not None:
        (tmp_path / "faults.json").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_fault_plan(tmp_path / "faults.json")


# --- barriers ---


def marked(text, targets=None, rounds=12):
    targets = targets or full(3)
    return barriers_of(plan(text, targets, rounds), neighbors(targets))


def test_a_trigger_holds_up_whom_it_hits_and_a_heal_too():
    assert marked(fault('peers = ["p01"]', kind="slow", at='{ round = 3, phase = "pull" }')) == {
        "p01": [(3, "pull"), (4, "train")]
    }


def test_a_fault_of_links_holds_up_their_ends():
    assert marked(fault('links = ["p00->p02"]', kind="cut")) == {
        "p00": [(1, "train"), (2, "train")],
        "p02": [(1, "train"), (2, "train")],
    }


def test_isolation_holds_up_who_is_isolated():
    assert list(marked(fault('peers = ["p01"]', kind="isolate"))) == ["p01"]


@pytest.mark.parametrize("kind", ["pause", "kill", "restart", "nan"])
def test_who_is_taken_away_is_met_by_its_neighbors_then_and_when_it_is_back(kind):
    net = star(4)  # p00 is its middle
    both = [(1, "train"), (3, "train")]
    assert marked(fault('peers = ["p01"]\nheal = { rounds = 2 }', kind=kind), net) == {
        "p00": both,
        "p01": both,
    }


def test_who_joins_is_met_by_its_neighbors():
    text = fault('peers = ["p01"]', kind="join", at='{ round = 2, phase = "pull" }')
    assert marked(text) == {peer: [(2, "pull")] for peer in ("p00", "p01", "p02")}


def test_a_heal_beyond_the_run_holds_up_nobody():
    assert marked(fault('peers = ["p01"]', kind="slow"), rounds=2) == {"p01": [(1, "train")]}


def test_marks_are_in_order_and_once():
    text = fault(ALL + "\nevery = { rounds = 1 }", kind="slow", at='{ phase = "aggregate" }')
    assert marked(text + "\n\n" + text.replace('"f"', '"g"'), rounds=2)["p00"] == [
        (0, "aggregate"), (1, "train"), (1, "aggregate"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        fault(ALL, at="{ time_s = 1 }"),
        fault(ALL, at='{ event = "transfer", share = 0.5 }'),
    ],
)
def test_what_no_round_triggers_marks_nothing(text):
    assert marked(text) == {}


def test_what_hits_nobody_marks_nothing():
    text = fault('peers = ["p00"]') + "\n\n" + fault('peers = ["p00"]', id="g", kind="pause")
    assert (2, "train") not in marked(text)["p00"]  # where the pause would be healed


# --- stops ---


def test_donors_wait_at_shares_of_their_transfers():
    text = "\n\n".join(
        [
            fault('peers = ["p01", "p02"]', id="a", at='{ event = "transfer", share = 0.5 }'),
            fault('peers = ["p01"]', id="b",
                  at='{ event = "transfer", share = 0.25, round = 2 }'),
            fault('links = ["p00->p02"]', id="c", kind="cut",
                  at='{ event = "transfer", share = 1, round = 1 }'),
            fault(ALL, id="d"),
        ]
    )  # fmt: skip
    assert transfer_stops(plan(text, full(3))) == {
        "p00": [(1, 1.0)],
        "p01": [(None, 0.5), (2, 0.25)],
        "p02": [(None, 0.5)],
    }
