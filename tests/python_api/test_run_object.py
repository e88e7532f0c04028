"""A run in Python, over run folders made by hand: its summary, masks, bytes, answers."""

import json
import shutil

import numpy as np
import pytest
from hand_hosts import on_two_hosts
from hand_runs import orderly, plan
from safetensors.numpy import save_file

import prisam_p2p as pp
from prisam_p2p.python_api.launching import finished
from prisam_p2p.python_api.messages import LaunchEnded, LaunchFailed

MASK = np.array([True, False, True, True, False, False, True, True, True, False])
EVALUATED = {"t_s": 5.0, "record": "evaluated", "moment": "after_training", "validation": 0.5}
DEPLOYED = {"t_s": 9.0, "record": "deployed", "moment": "after_training", "parameters": 7}


def masked(t, mask):
    packed = np.packbits(mask).tobytes().hex()
    return {
        "t_s": 4.0,
        "record": "masked",
        "round": t,
        "prune_ratio": 0.3,
        "structure": packed,
        "similarity": "",
    }


def write_run(folder, **settings):
    """Write a run of three peers, two of which have deployed a model."""
    folder.mkdir(parents=True)
    made = orderly()
    for peer, test in (("p01", 0.5), ("p02", 0.75)):
        made.records[peer] = [
            masked(0, ~MASK),
            masked(1, MASK),
            {**EVALUATED, "round": 1, "test": test},
            {**DEPLOYED, "test": test, "macs": 8, "validation": 0.5, "digest": "00"},
        ]
    made.write(folder)
    written = plan(**settings)
    written["model"]["mask_bits"] = MASK.size
    (folder / "plan.json").write_text(json.dumps(written))
    (folder / "models").mkdir()
    save_file({"w": np.arange(6.0).reshape(2, 3)}, folder / "models" / "p01.safetensors")
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_run(tmp_path / "runs" / "one")


@pytest.fixture
def run(folder):
    return pp.load_run(folder)


def test_the_summary_is_typed_and_computed_without_writing(run, folder):
    before = sorted(folder.rglob("*"))
    assert run.summary.accuracy.deployed == pytest.approx(0.625)
    assert run.summary.peers["p02"].accuracy.deployed == 0.75
    assert run.summary.bytes["weights"].payload == 300_000
    assert run.summary.status == "killed"
    assert run.peers["p01"].summary.profile == "fast"
    assert sorted(folder.rglob("*")) == before


def test_the_summary_of_a_run_on_hosts_is_typed(tmp_path):
    on_two_hosts(lost="h2", states={"p03": "lost with host h2"}).write(tmp_path)
    run = pp.load_run(tmp_path)
    summary = run.summary
    assert summary.start == {"wall_s": 1.0, "cpu_s_per_peer": None, "pss_mib_per_peer": None}
    assert summary.hosts.lost[0]["peers"] == [summary.lost[0].peer] == ["p03"]
    assert summary.lost[0].host == summary.peers["p03"].host == "h2"
    assert summary.hosts.bytes["within"]["weights"].payload == 300_000
    assert summary.closure.lost_hosts[0]["hosts"] == ["h2"]
    assert [row["peers"] for row in run.table("hosts")] == [["p01", "p02"], ["p03"]]


def test_a_mask_is_an_array_of_one_round(run):
    assert (run.peers["p01"].mask(round=1) == MASK).all()
    assert (run.peers["p01"].mask(round=0) == ~MASK).all()
    assert (run.peers["p01"].mask() == MASK).all()
    assert run.peers["p01"].mask().dtype == np.bool_


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda run: run.peers["p01"].mask(round=7), "one of the rounds that have a mask: 0, 1"),
        (lambda run: run.peers["p03"].mask(), "a run whose peers have structure masks"),
        (lambda run: run.peers["p01"].mask(kind="similarity"), "have similarity masks"),
        (lambda run: run.peers["p01"].mask(kind="own"), "structure or similarity"),
        (lambda run: run.weights("p9"), "a peer; there is p01, p02, p03"),
        (lambda run: run.weights("p02"), "a model, which a peer leaves when it completes"),
        (lambda run: run.bytes_by("hour"), "one of kind, link, round, layer, peer"),
        (lambda run: run.sql("DROP TABLE ledger"), "one SELECT"),
        (lambda run: run.model("p01"), "save_personalized"),
    ],
)
def test_what_is_not_there_is_told(run, ask, told):
    with pytest.raises(pp.ConfigError) as caught:
        ask(run)
    assert told in str(caught.value)


def test_weights_are_arrays(run):
    weights = run.weights("p01")
    assert {name: array.shape for name, array in weights.items()} == {"w": (2, 3)}


def test_bytes_and_answers_are_tables(run):
    sent = {row["kind"]: row["payload"] for row in run.bytes}
    assert sent["weights"] == 300_000
    assert {row["sender"] for row in run.bytes_by("link")} == {"p01", "p02", "p03"}
    answer = run.sql("SELECT kind, sum(payload)::BIGINT AS n FROM ledger GROUP BY kind")
    assert {"kind": "weights", "n": 300_000} in answer.rows


def test_a_run_that_did_not_complete_does_not_pass_its_check(run):
    assert run.complaint.startswith(f"{run.path}: killed")
    with pytest.raises((pp.CheckFailed, pp.Undecided)):
        run.check()


def test_a_launch_returns_a_run_with_a_broken_rule_unless_it_is_to_check(folder):
    ended = LaunchEnded(str(folder), refused=None)
    with pytest.warns(pp.BrokenRule, match="killed"):
        assert finished(ended, check=False).path == folder
    with pytest.raises((pp.CheckFailed, pp.Undecided)):
        finished(ended, check=True)


def test_errors_of_a_launch_name_the_run_folder():
    full = pp.ResourceError("/full", "No space left on device", "free space there")
    for end in (LaunchFailed(full, "/full/run"), LaunchEnded("/full/run", full)):
        with pytest.raises(pp.ResourceError) as caught:
            finished(end, check=False)
        assert "run folder: /full/run" in caught.value.__notes__


def test_html_shows_no_markup_of_a_stranger(folder):
    hostile = json.loads((folder / "plan.json").read_text())
    hostile["topology"] = "<script>alert(1)</script>"
    hostile["peers"]["p01"]["profile"]["name"] = "<img src=x>"
    (folder / "plan.json").write_text(json.dumps(hostile))
    shown = pp.load_run(folder)._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "<script" not in shown
    assert "<img" not in shown


def test_a_run_is_found_by_its_name_and_its_beginning(folder, monkeypatch):
    write_run(folder.parent / "other")
    monkeypatch.chdir(folder.parent.parent)
    assert pp.load_run("one").name == "one"
    assert pp.load_run("ot").name == "other"
    assert pp.load_run().name in ("one", "other")
    with pytest.raises(pp.ConfigError, match="a run folder"):
        pp.load_run("missing")


def test_runs_side_by_side_show_results_settings_and_differences(folder, run):
    other = folder.parent / "other"
    shutil.copytree(folder, other)
    changed = json.loads((other / "plan.json").read_text())
    changed["settings"]["seed"] = 6
    (other / "plan.json").write_text(json.dumps(changed))
    journal = other / "journal" / "p02.jsonl"
    journal.write_text(journal.read_text().replace("0.75", "0.25"))

    both = pp.compare([run, other])
    first, second = both.rows
    assert (first["run"], second["run"]) == ("one", "other")
    assert (first["seed"], second["seed"]) == (5, 6)
    assert "rounds" not in both.columns
    assert (first["accuracy"], second["accuracy"]) == (0.625, 0.375)
    assert (first["same_as_first"], second["same_as_first"]) == (True, False)
    assert [each.split(":")[0] for each in both.differences[1]] == ["accuracy of p02"]
    with pytest.raises(pp.ConfigError, match="two runs or more"):
        pp.compare([run])
