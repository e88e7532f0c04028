"""Each check on a run made by hand that keeps it, and on one that breaks it; then the verdicts."""

import json

import pytest

from prisam_p2p.report.checks import check_lines, checks_json, run_checks
from prisam_p2p.report.exclusions import left_out, left_out_lines
from prisam_p2p.report.faults import fault_verdicts
from prisam_p2p.report.judgement import judge
from prisam_p2p.report.run_folder import RunFolder

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
        self.settings = {"pull": "whole"}
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


def broken(story, path):
    """Return check -> why, of those that do not hold."""
    return {c.check: c.why for c in run_checks(story.folder(path)) if c.verdict == "false"}


def test_a_quiet_run_keeps_all(tmp_path):
    checks = run_checks(Story().folder(tmp_path))
    assert {c.verdict for c in checks} == {"true"}
    assert check_lines(checks_json(checks)) == ["checks: 6 of 6 hold"]


def test_a_run_that_was_stopped_decides_nothing(tmp_path):
    story = Story()
    story.lines["launcher"] = []
    assert {c.verdict for c in run_checks(story.folder(tmp_path))} == {"unknown"}


def test_a_lost_peer(tmp_path):
    story = Story()
    story.states |= {"b": "died with 1", "c": "died with -9 as planned"}
    assert broken(story, tmp_path) == {"final states": "b died with 1"}


@pytest.mark.parametrize(("healed_s", "since_s", "why"), [
    (15, 99, ""),
    (15, 55, ""),
    (9.5, 10, "a ended a round after f#0 never"),
])  # fmt: skip
def test_progress_after_a_heal(tmp_path, healed_s, since_s, why):
    story = Story()
    story.fault("pause", "a", 5, healed_s)
    story.drop("a", since_s)
    assert broken(story, tmp_path).get("progress after heal", "") == why


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
    assert broken(story, tmp_path).get("nothing across a cut", "") == crossed


def test_stale_weights(tmp_path):
    story = Story()
    story.change("b", "pulled", 2, digest="a1")
    why = "b took weights of a that it never offered in that round"
    assert broken(story, tmp_path) == {"no stale snapshot": why}


def test_parts_of_a_snapshot_have_digests_of_their_own(tmp_path):
    story = Story()
    story.settings["pull"] = "overlap"
    story.change("b", "pulled", 2, digest="part")
    assert broken(story, tmp_path) == {}


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
    checks = run_checks(story.folder(tmp_path))
    assert check_lines(checks_json(checks)) == [
        "checks: 5 of 6 hold",
        "  groups recovered: not judged, faults go on into the last round",
    ]
    judged = judge({"closure": {"failures": []}, "checks": checks_json(checks), "faults": []})
    assert (judged.broken, judged.undecided) == ([], [])


def test_groups_are_not_judged_where_faults_begin_before_any_are_found(tmp_path):
    story = Story()
    story.fault("pause", "a", 2, 3)
    assert run_checks(story.folder(tmp_path))[-1].why == "faults begin before the first grouping"


# --- verdicts ---


def verdict(story, path, **twin):
    (found,) = fault_verdicts(story.folder(path), **twin)
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


def test_what_a_fault_cost(tmp_path):
    story = Story()
    story.fault("kill", "a", 12, 30)
    for t_s, donor in ((11, "a"), (13, "a"), (14, "c"), (31, "a")):
        story.tell("b", t_s, "pull_failed", donor=donor, fetched_bytes=100)
    story.tell("b", 15, "rejected", donor="a", fetched_bytes=20)
    twin = Story()
    twin.lines["a"][-1][2]["test"] = 0.9
    found = verdict(story, tmp_path / "run", twin=twin.folder(tmp_path / "twin"))
    assert found.bytes_wasted == 120
    assert found.accuracy_change == pytest.approx(-0.1)


# -- left out without a fault ----------------------------------------------------------------


def missing(story, peer, *others):
    story.change(peer, "heard", 1, missing=dict.fromkeys(others, "no mask within 10.0 s"))


def test_where_all_were_in_time_nothing_is_left_out(tmp_path):
    left = left_out(Story().folder(tmp_path))
    assert left == {"masks": 0, "pulls": 0}
    assert left_out_lines(left) == []


def test_who_is_late_by_itself_is_told_apart_from_who_is_hit_or_is_late_for_who_is_hit(tmp_path):
    story = Story()
    story.fault("pause", "a", 5, 15)
    missing(story, "a", "b", "c")  # it was away
    missing(story, "b", "a", "c")  # a is hit, c is not
    story.tell("d", 15, "pull_failed", round=1, donor="c", reason="no byte for 60 s")
    story.tell("d", 15, "pull_failed", round=1, donor="a", reason="connection closed")
    left = left_out(story.folder(tmp_path))
    assert left == {"masks": 1, "pulls": 1}
    (line,) = left_out_lines(left)
    assert line.startswith("left out between peers that no fault hit: 1 mask, 1 pull;")


def test_who_said_bye_is_not_left_out(tmp_path):
    """As one does that reached --target-loss."""
    story = Story()
    story.change("b", "heard", 1, missing={"a": "left before round 1", "c": "connection closed"})
    assert left_out(story.folder(tmp_path)) == {"masks": 1, "pulls": 0}


def test_a_link_that_a_fault_hits_concerns_both_its_ends(tmp_path):
    story = Story()
    story.fault("cut", "a", 5, 15, peers=[], links=[("a", "b"), ("b", "a")])
    missing(story, "a", "b")
    missing(story, "c", "d")
    assert left_out(story.folder(tmp_path)) == {"masks": 1, "pulls": 0}


def test_of_a_round_that_was_done_again_the_last_time_counts(tmp_path):
    """A resumed run does a round again that some peers had done."""
    story = Story()
    story.tell("d", 15, "pull_failed", round=1, donor="c", reason="no byte for 60 s")
    story.tell("d", 16, "heard", round=1, peers=["a", "b"], missing={"c": "no mask within 10.0 s"})
    assert left_out(story.folder(tmp_path)) == {"masks": 1, "pulls": 0}
