"""What the others' journals say of Byzantine peers, from run folders made by hand."""

import json

import pytest

from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.report.checks import run_checks
from prisam_p2p.report.exclusions import rejection_lines, rejections
from prisam_p2p.report.faults import fault_verdicts
from prisam_p2p.report.run_folder import RunFolder

PEERS = ("a", "b", "c")
COMPLETED = dict.fromkeys(PEERS, "completed")


def aggregated(t, *members):
    return records.Aggregated(t, list(members), 10, 7, False)


def at(folder, name, t_s):
    """Have all of a journal happen at one time."""
    path = folder / "journal" / f"{name}.jsonl"
    lines = [json.loads(line) | {"t_s": t_s} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def run_of(folder, kind="nan", parameters=None, attack_from_s=1.0, **journals):
    """Write a run in which c is Byzantine; peers act at 2 s. `journals`: more records."""
    (folder / "journal").mkdir()
    plan = {"settings": {"norm_limit": 3.0}, "peers": {p: {"group": None} for p in PEERS}}
    (folder / "plan.json").write_text(json.dumps(plan))
    one = {"id": "f#0", "kind": kind, "peers": ["c"], "links": [], "parameters": parameters or {}}
    (folder / "faults.json").write_text(json.dumps({"occurrences": [one]}))
    trained = records.Trained(0, 2, 6, 96, 0.5, 0.05, 1000, 1.5, 3.5, 0.5, 0.43)
    said = {
        "b": [trained],
        "launcher": [
            records.FaultApplied("f#0", kind, "c", 0.0),
            records.FaultVerified("f#0", "c", "attacks reported: 1"),
        ],
        "c": [records.Announced(t, 1, ["a", "b"], []) for t in range(2)],
    }
    for name in (*PEERS, "launcher"):
        with Journal(folder / "journal" / f"{name}.jsonl", 0.0) as journal:
            for record in [*said.get(name, []), *journals.get(name, [])]:
                journal.write(record)
            if name == "launcher":
                journal.write(records.RunEnded("completed", 1.0, COMPLETED))
        at(folder, name, attack_from_s if name == "launcher" else 2.0)
    return RunFolder(folder)


def verdict(folder, *args, **more):
    (found,) = fault_verdicts(run_of(folder, *args, **more))
    return found


def poison_check(run):
    (poison,) = [check for check in run_checks(run) if check.check == "no poison"]
    return poison.verdict, poison.why, poison.judged


@pytest.mark.parametrize(
    ("record", "names"),
    [
        (records.Rejected(0, "c", "finite", "NaN"), True),
        (records.PullFailed(0, "c", "holds no weights"), True),
        (records.Turned("c", "stale", "mask of round 0", 1), True),
        (records.Turned("c", "malformed", "wire version 3", 1), True),
        (records.Turned("c", "spoofed", "c's address, and the name of b", 1), True),
        (records.Turned("b", "spoofed", "b's address, and the name of c", 1), False),
        (records.Turned("b", "stale", "mask of round 0", 1), False),
        (records.Rejected(0, "b", "finite", "NaN"), False),
    ],
)
def test_which_records_name_a_byzantine_peer(tmp_path, record, names):
    assert verdict(tmp_path, a=[record], c=[record]).named_by == (["a"] if names else [])


def test_records_before_the_attack_do_not_name_it(tmp_path):
    before = records.Rejected(0, "c", "norm", "")
    assert verdict(tmp_path, attack_from_s=5.0, a=[before]).named_by == []


@pytest.mark.parametrize(
    ("kind", "parameters", "to_be_left_out"),
    [
        ("nan", {}, True),
        ("wrong-shape", {}, True),
        ("scaled", {"factor": 10.0}, True),
        ("scaled", {"factor": -0.1}, True),
        ("scaled", {"factor": 2.0}, False),  # the norm check lets it pass, as it says
        ("lying-mask", {}, False),
        ("sign-flipped", {}, False),
    ],
)
def test_nobody_may_average_what_checks_must_keep_out(tmp_path, kind, parameters, to_be_left_out):
    run = run_of(tmp_path, kind, parameters, a=[aggregated(1, "a", "c")])
    expected = ("false", "a averaged f#0 of c", 2) if to_be_left_out else ("true", "", 1)
    assert poison_check(run) == expected


def test_a_byzantine_peer_may_average_its_own_weights(tmp_path):
    run = run_of(tmp_path, c=[aggregated(0, "a", "c")])
    assert poison_check(run) == ("true", "", 1)  # the loss; no average of another peer


def test_a_round_before_the_attack_may_be_averaged(tmp_path):
    """c became Byzantine after its mask of round 1."""
    run = run_of(tmp_path, attack_from_s=5.0, a=[aggregated(1, "a", "c")])
    assert poison_check(run) == ("true", "", 1)


def test_rejections_are_counted_by_donor_and_check(tmp_path):
    rejected = [records.Rejected(t, "c", "norm", "") for t in range(3)]
    run = run_of(tmp_path, a=[*rejected, records.Rejected(3, "b", "shape", "")], b=rejected[:1])
    found = rejections(run)
    assert found == {
        "b": {"by": ["a"], "checks": {"shape": 1}},
        "c": {"by": ["a", "b"], "checks": {"norm": 4}},
    }
    assert rejection_lines(found) == [
        "rejected on receipt: b by 1 peer (shape 1), c by 2 peers (norm 4)"
    ]
    assert rejection_lines({}) == []
