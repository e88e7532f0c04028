import hashlib
import json

import pytest

from prisam_p2p.errors import ConfigError
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.verify import (
    Difference,
    code_differences,
    compare,
    compared,
    not_judged,
    outcome,
)

LABELS = {"a": 0, "b": 1}


def journal_of(peer):
    """Two rounds, and the weights at the end."""
    lines = []
    for t in range(2):
        lines += [
            records.Trained(t, 2, 6, 96, 0.5, 0.05, 1000, 1.5, 3.5, 0.5, 0.43),
            records.Masked(t, 0.3, "f0", "a5"),
            records.Evaluated(t, "after_training", 0.4, 0.5),
            records.Grouped(t, LABELS, [peer]),
            records.Aggregated(t, [peer], 10, 7, False),
            records.Evaluated(t, "after_aggregation", 0.6, 0.7),
        ]
    return [*lines, records.Deployed("after_training", 0.6, 0.7, 0.3, 700, 900, 2800, "d" * 32)]


@pytest.fixture
def run(tmp_path):
    """Writes run folders of two peers, with other lines at some places of b's journal."""

    def write(name, changes=None, peers=("a", "b"), epoch_s=0.0):
        path = tmp_path / name
        (path / "journal").mkdir(parents=True)
        (path / "plan.json").write_text(json.dumps({"peers": {peer: {} for peer in peers}}))
        for peer in peers:
            lines = dict(enumerate(journal_of(peer)))
            lines |= (changes or {}) if peer == "b" else {}
            with Journal(path / "journal" / f"{peer}.jsonl", epoch_s) as journal:
                for line in lines.values():
                    if line is not None:
                        journal.write(line)
        return RunFolder(path)

    return write


def test_the_same_run_twice_has_no_difference(run):
    assert compare(run("one"), run("other", epoch_s=-50.0)) == []


def test_how_long_it_took_is_no_difference(run):
    slower = records.Trained(0, 2, 6, 96, 0.5, 0.05, 1000, 9.0, 9.5, 0.5, 0.95)
    assert compare(run("one"), run("other", {0: slower})) == []


@pytest.mark.parametrize(
    ("place", "line", "aspect", "mine", "theirs"),
    [
        (7, records.Masked(1, 0.3, "f1", "a5"), "masks", ("structure", "f0"), "f1"),
        (7, records.Masked(1, 0.3, "f0", "a4"), "masks", ("similarity", "a5"), "a4"),
        (9, records.Grouped(1, {"a": 0, "b": 0}, ["b"]), "groups", ("labels", LABELS), None),
        (9, records.Grouped(1, LABELS, ["a", "b"]), "chosen peers", ("group", ["b"]), ["a", "b"]),
        (
            10,
            records.Aggregated(1, ["a", "b"], 10, 7, False),
            "averaged members",
            ("members", ["b"]),
            ["a", "b"],
        ),
        (8, records.Evaluated(1, "after_training", 0.4, 0.51), "accuracy", ("test", 0.5), 0.51),
        (8, records.Evaluated(1, "x", 0.4, 0.5), "accuracy", ("moment", "after_training"), "x"),
        (
            12,
            records.Deployed("after_training", 0.6, 0.7, 0.3, 700, 900, 2800, "e" * 32),
            "final weights",
            ("digest", "d" * 32),
            "e" * 32,
        ),
    ],
)
def test_each_aspect_is_compared(run, place, line, aspect, mine, theirs):
    [found] = compare(run("one"), run("other", {place: line}))
    assert (found.aspect, found.peer) == (aspect, "b")
    field, value = mine
    assert found.one[field] == value
    if theirs is not None:
        assert found.other[field] == theirs
    assert found.one != found.other


def test_only_the_first_difference_of_an_aspect_is_told(run):
    changes = {1: records.Masked(0, 0.3, "f7", "a5"), 7: records.Masked(1, 0.3, "f8", "a5")}
    [found] = compare(run("one"), run("other", changes))
    assert (found.one["round"], found.other["structure"]) == (0, "f7")


def test_a_round_that_is_not_there_is_a_difference_either_way(run):
    whole, shorter = run("one"), run("other", {7: None})
    [found] = compare(whole, shorter)
    assert found.other == {}
    [found] = compare(shorter, whole)
    assert found.one == {}


def test_a_peer_that_is_not_there_differs_in_everything(run):
    found = compare(run("one"), run("other", peers=["a"]))
    assert {each.peer for each in found} == {"b"}
    assert [each.aspect for each in found] == list(compared(run("third")))


def test_a_difference_reads_as_a_line():
    difference = Difference("masks", "b", {"round": 1, "structure": "f" * 90}, {})
    assert str(difference) == f"masks of b: round 1, structure {'f' * 40} against nothing"


def test_what_was_compared_is_counted(run):
    assert compared(run("one")) == {
        "masks": 4,
        "groups": 4,
        "chosen peers": 4,
        "averaged members": 4,
        "accuracy": 8,
        "final weights": 2,
    }


def test_an_aspect_that_neither_run_has_is_not_judged(run):
    """Peers whose models are whole write no masks."""
    runs = [run(name, {1: None, 7: None}, peers=["b"]) for name in ("one", "other")]
    assert compare(*runs) == []
    counts = compared(*runs)
    assert not_judged(counts) == ["masks"]
    assert outcome([], counts).endswith("4 accuracy, 1 final weights; not judged: masks")


def test_groups_without_labels_are_not_judged(run):
    """As of top-m, and of baselines that do not cluster."""
    chosen = {3: records.Grouped(0, {}, ["b"]), 9: records.Grouped(1, {}, ["b"])}
    one = run("one", chosen, peers=["b"])
    assert not_judged(compared(one)) == ["groups"]


def test_what_one_run_alone_has_is_compared(run):
    one, other = run("one", {1: None, 7: None}, peers=["b"]), run("other", peers=["b"])
    assert compared(one, other)["masks"] == 2
    assert [each.aspect for each in compare(one, other)] == ["masks"]


def test_nothing_is_not_the_same_as_nothing(run):
    empty = run("empty", peers=["c"])
    (empty.path / "journal" / "c.jsonl").write_text("")
    with pytest.raises(ConfigError, match="a run that trained"):
        compare(run("one"), RunFolder(empty.path))


def with_code(run, text="x = 1\n"):
    """Let a run have an algorithm of its user's, with the copy of its file."""
    copy = run.path / "code" / "algorithm" / "mine.py"
    copy.parent.mkdir(parents=True)
    copy.write_text(text)
    record = {"reference": "./mine.py:rounds", "origin": "file", "distribution": "", "version": ""}
    record |= {"file": "/elsewhere/mine.py", "sha256": hashlib.sha256(text.encode()).hexdigest()}
    plan = json.loads((run.path / "plan.json").read_text())
    (run.path / "plan.json").write_text(json.dumps({**plan, "code": {"algorithm": record}}))
    return RunFolder(run.path)


def test_equal_code_is_no_difference(run):
    assert code_differences(with_code(run("one")), with_code(run("other"))) == []


def test_other_code_is_told_by_its_hash(run):
    (told,) = code_differences(with_code(run("one")), with_code(run("other"), "x = 2\n"))
    assert told.startswith("code of algorithm: ./mine.py:rounds, sha256 ")
    assert told.count("sha256") == 2


def test_code_beside_a_built_in_name_is_told(run):
    (told,) = code_differences(run("one"), with_code(run("other")))
    assert "built in against ./mine.py:rounds" in told


def test_a_copy_that_was_changed_afterwards_is_told(run):
    one = with_code(run("one"))
    copy = one.path / "code" / "algorithm" / "mine.py"
    copy.write_text("x = 3\n")
    (told,) = code_differences(one, with_code(run("other")))
    assert f"{copy} is not what the run recorded" in told


def test_a_record_of_code_that_is_none_is_refused(run):
    one = run("one")
    (one.path / "plan.json").write_text('{"peers": {"a": {}, "b": {}}, "code": {"model": {}}}')
    with pytest.raises(ConfigError, match=r"plan\.json"):
        code_differences(one, run("other"))
