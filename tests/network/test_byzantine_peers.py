"""Attacks in a real network: they happened, honest peers noticed them, and took no harm."""

import json

import pytest
from control_runs import EIGHT, contained, finished, is_the_control_run_before, records
from launching import asked, launch, topology
from whole_summaries import whole_summary

pytestmark = pytest.mark.network

PEERS = [f"p{i:02d}" for i in range(8)]


def run_with(folder, options, *faults):
    """Run eight peers with faults: (id, kind, peer, more); return the run and its summary."""
    path, run = folder / "attacks.toml", folder / "run"
    path.write_text('description = "for a test"\n' + "".join(map(table, faults)))
    net = topology(folder, EIGHT)
    code, _, err = launch(net, "--run-dir", run, "--faults", path, "--quiet", *options)
    assert code == 0, err
    summary = json.loads((run / "summary.json").read_text())
    assert summary == whole_summary(run)
    assert {f["fault"]: f["verdict"] for f in faults_of(summary)} == dict.fromkeys(
        (name for name, *_ in faults), "true"
    )
    return run, summary


def table(fault):
    name, kind, peer, *more = fault
    lines = "\n".join(more)
    return f'[[fault]]\nid = "{name}"\nkind = "{kind}"\npeers = ["{peer}"]\n{lines}\n'


def faults_of(summary):
    return [{**each, "fault": each["id"].partition("#")[0]} for each in summary["faults"]]


def others(*attackers):
    return [peer for peer in PEERS if peer not in attackers]


def test_attacks_that_checks_notice_are_named_by_all_and_averaged_by_none(
    tmp_path, control_of_eight
):
    run, summary = run_with(
        tmp_path,
        ("--pull-timeout-s", "30"),
        ("poison", "nan", "p01", "heal = { rounds = 2 }"),
        ("loud", "scaled", "p02"),
        ("miser", "refusal", "p03"),
        ("odd", "wrong-shape", "p04"),
    )
    assert {tuple(each["peers"] + each["named_by"]) for each in faults_of(summary)} == {
        (peer, *others(peer)) for peer in ("p01", "p02", "p03", "p04")
    }
    byzantine = ("p01", "p02", "p03", "p04")
    is_the_control_run_before(run, control_of_eight, 1)  # each journal has the truth
    contained(summary, control_of_eight, *byzantine)
    gave = [
        each["peers"]["p03"]["bytes"]["out"]["weights"]["payload"]
        for each in (summary, control_of_eight.summary)
    ]
    assert gave[0] == 0 < gave[1]
    for peer in others(*byzantine):
        assert records(control_of_eight.path, peer, "rejected") == []
        assert records(control_of_eight.path, peer, "pull_failed") == []
        without = [x["members"] for x in records(control_of_eight.path, peer, "aggregated")]
        assert without == [PEERS] * 4
        rejected = {(x["donor"], x["check"], x["round"]) for x in records(run, peer, "rejected")}
        assert rejected == {("p01", "finite", t) for t in (0, 1)} | {
            (donor, check, t)
            for donor, check in (("p02", "norm"), ("p04", "shape"))
            for t in range(4)
        }
        assert {x["donor"] for x in records(run, peer, "pull_failed")} == {"p03"}
        members = [x["members"] for x in records(run, peer, "aggregated")]
        assert members[0] == members[1] == others(*byzantine)
        assert "p01" in members[3]  # an honest process took its place again
    shapes = {x["detail"][:10] for x in records(run, "p00", "rejected") if x["check"] == "shape"}
    assert shapes == {"a structur", "a chunk of"}
    assert [x["incarnation"] for x in records(run, "p01", "started")] == [0, 1]
    code, out = asked("summary", run)
    assert code == 0, out
    assert "rejected on receipt: p01 by 7 peers (finite 14), p02 by 7 peers (norm 28), " in out


def test_false_claims_are_rejected_and_false_masks_do_no_harm(tmp_path, control_of_eight):
    at = "at = { round = 1, phase = 'train' }"
    run, summary = run_with(
        tmp_path,
        ("--pull-timeout-s", "5", "--round-timeout-s", "60"),
        ("liar", "lying-mask", "p01"),
        ("copier", "copied-mask", "p02", at),
        ("repeater", "stale-mask", "p03", at),
        ("spoofer", "spoofed", "p04", at),
        ("stranger", "other-version", "p05", at),
        ("slow", "slow-serving", "p06", "at = { round = 3, phase = 'train' }"),
        ("contrary", "sign-flipped", "p07"),
    )
    is_the_control_run_before(run, control_of_eight, 1)  # each journal has the truth
    finished(summary)  # turned signs pass every check, and cost accuracy
    assert records(control_of_eight.path, "p00", "turned") == []
    named = {each["fault"]: each["named_by"] for each in faults_of(summary)}
    assert {*others("p03", "p04", "p05")} <= {*named["repeater"]}
    assert {*others("p04", "p05")} <= {*named["spoofer"]}
    assert {*others("p04", "p05")} <= {*named["stranger"]}
    assert {"p00", "p07"} <= {*named["slow"]}
    turned = {(x["sender"], x["verdict"]) for x in records(run, "p00", "turned")}
    assert {("p03", "stale"), ("p05", "malformed")} <= turned
    (spoofed,) = [x for x in records(run, "p00", "turned") if x["verdict"] == "spoofed"]
    assert spoofed["reason"] == "p04's address, and the name of p01"
    (slow,) = [x for x in records(run, "p00", "pull_failed") if x["donor"] == "p06"]
    assert (slow["round"], slow["reason"][:8]) in {(3, "0 bytes/"), (3, "no byte ")}
    for peer in ("p00", "p07"):
        assert "p05" not in records(run, peer, "aggregated")[3]["members"]
        assert "p06" not in records(run, peer, "aggregated")[3]["members"]
        assert records(run, peer, "rejected") == []
    own = [x["similarity"] for x in records(run, "p01", "masked")]
    assert len(own) == 4
