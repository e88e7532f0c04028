"""An algorithm of users' own: the result of a built-in one, metered, through faults and resumed."""

import json
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from launching import (
    DEADLINE_S,
    SMALL,
    asked,
    journal,
    launch,
    launcher,
    patient,
    prisam,
    refused,
    round_done,
    topology,
    wait_for,
)
from safetensors.numpy import load_file

from prisam_p2p.extensions.record import sha256_of

pytestmark = pytest.mark.network

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text()
FOUR = patient(
    SMALL.replace("count = 6", "count = 4").replace("rounds = 3", "rounds = 3\nfan_in = 1")
)
KILL = """
description = "one is killed and comes back, one is gone for good"
[[fault]]
id = "back"
kind = "restart"
peers = ["p01"]
at = { round = 1, phase = "train" }
[[fault]]
id = "gone"
kind = "kill"
peers = ["p03"]
at = { round = 1, phase = "pull" }
"""


def summary_of(run):
    return json.loads((run / "summary.json").read_text())


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Return a run of examples/fedavg.py, copied elsewhere, beside the built-in one."""
    folder = tmp_path_factory.mktemp("stranger")
    code = folder / "mine.py"
    shutil.copy(ROOT / "examples" / "fedavg.py", code)
    run, options = folder / "run", ("--baseline", "fedavg-random", "--quiet")
    net = topology(folder, FOUR)
    code, _, err = launch(net, "--algorithm", f"{code}:fedavg", "--run-dir", run, *options)
    assert code == 0, err
    return run


def test_thirty_lines_of_a_stranger_give_the_built_in_result_bit_for_bit(done):
    code, out = asked("verify", done, done / "baseline-fedavg-random", "--format", "json")
    found = json.loads(out)
    assert (code, found["same"]) == (0, True)
    assert found["compared"]["final weights"] == 4
    assert len(found["code"]) == 1  # told, and no difference
    assert "mine.py:fedavg" in found["code"][0]


def test_its_bytes_are_metered(done):
    mine, built_in = summary_of(done), summary_of(done / "baseline-fedavg-random")
    assert (mine["closure"]["verdict"], mine["closure"]["unexplained_bytes"]) == ("true", 0)
    weights = [each["bytes"]["weights"]["payload"] for each in (mine, built_in)]
    assert weights[0] == weights[1] > 100_000


def test_the_run_records_what_ran(done):
    plan = json.loads((done / "plan.json").read_text())
    record = plan["code"]["algorithm"]
    assert plan["traits"]["dense"]
    assert record["sha256"] == sha256_of(done / "code" / "algorithm" / "mine.py")
    assert (record["origin"], Path(record["file"]).name) == ("file", "mine.py")
    assert summary_of(done)["algorithm"].endswith("mine.py:fedavg")


def test_its_plan_is_launched_only_with_trust_and_spawned_peers_take_the_copy(done, tmp_path):
    plan, again = done / "plan.json", tmp_path / "again"
    words = ("launch", plan, "--run-dir", again, "--quiet", "--start", "spawn")
    out = refused(*words)
    assert f"{plan}: settings.algorithm = " in out
    assert "--trust-code" in out
    assert not again.exists()
    code, out = prisam(*words, "--trust-code", "--baseline", "none")
    assert code == 0, out
    code, out = asked("verify", done, again)
    assert (code, out.split(":")[0]) == (0, "the same"), out


def test_faults_that_hit_it_are_survived(done, tmp_path):
    scenario, run = tmp_path / "kill.toml", tmp_path / "run"
    scenario.write_text(KILL)
    where = ("--algorithm", f"{done.parent / 'mine.py'}:fedavg", "--run-dir", run)
    code, _, err = launch(topology(tmp_path, FOUR), *where, "--faults", scenario, "--quiet")
    assert code == 0, err
    summary = summary_of(run)
    assert [fault["verdict"] for fault in summary["faults"]] == ["true", "true"]
    assert summary["closure"]["unexplained_bytes"] == 0
    states = {peer: each["state"] for peer, each in summary["peers"].items()}
    assert states.pop("p03") == "died with -9 as planned"
    assert set(states.values()) == {"completed"}


def test_an_interrupted_run_is_resumed_with_the_code_that_it_was_begun_with(done, tmp_path):
    mine, run, net = tmp_path / "mine.py", tmp_path / "run", topology(tmp_path, FOUR)
    shutil.copy(done / "code" / "algorithm" / "mine.py", mine)
    where = ("--algorithm", f"{mine}:fedavg", "--run-dir", run, "--quiet")
    with launcher(net, *where) as process:
        wait_for("round 1", round_done(run, ["p00"], 0))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE_S)
    assert "--trust-code" in refused("resume", run)

    text = mine.read_text()
    mine.write_text(text + "\n# a comment\n")
    out = refused("resume", run, "--trust-code")
    assert f"code.algorithm = '{mine}'" in out
    assert str(run / "code" / "algorithm" / "mine.py") in out
    mine.write_text(text)
    code, out = prisam("resume", run, "--trust-code", "--quiet")
    assert (code, out) == (0, "")
    assert asked("verify", done, run)[0] == 0


def test_the_algorithm_of_the_page_runs(tmp_path):
    block = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[0]
    (tmp_path / "gossip.py").write_text(block)
    run = tmp_path / "run"
    where = ("--algorithm", f"{tmp_path}/gossip.py:gossip", "--run-dir", run, "--rounds", "2")
    code, _, err = launch(topology(tmp_path, FOUR), *where, "--quiet")
    assert code == 0, err
    members = [x["members"] for x in journal(run, "p00") if x["record"] == "aggregated"]
    assert members == [["p00", "p01", "p02", "p03"]] * 2


def test_dfedavgm_of_the_examples_is_the_built_in_gossip(tmp_path):
    """Gossip with Metropolis weights and local momentum: what d-psgd does here, bit for bit."""
    run = tmp_path / "run"
    where = ("--algorithm", f"{ROOT}/examples/dfedavgm.py:dfedavgm", "--run-dir", run, "--quiet")
    code, _, err = launch(topology(tmp_path, FOUR), *where, "--baseline", "d-psgd")
    assert code == 0, err
    assert asked("verify", run, run / "baseline-d-psgd")[0] == 0


def trained(run, peer):
    return [x for x in journal(run, peer) if x["record"] == "trained"]


def test_two_peers_of_fedrep_share_a_body_and_each_has_its_own_head(tmp_path):
    run = tmp_path / "run"
    mine, other = (f"{ROOT}/examples/{name}.py:{name}" for name in ("fedrep", "fedavg"))
    where = ("--algorithm", mine, "--baseline", other, "--run-dir", run, "--quiet")
    code, _, err = launch(topology(tmp_path, FOUR.replace("count = 4", "count = 2")), *where)
    assert code == 0, err
    one, two = (load_file(run / "state" / f"{peer}.safetensors") for peer in ("p00", "p01"))
    learned = [name for name in one if name.endswith((".weight", ".bias"))]
    same = [name for name in learned if np.array_equal(one[name], two[name])]
    assert set(learned) - set(same) == {"w.classifier.weight", "w.classifier.bias"}
    beside = run / "baseline-fedavg"
    mine, other = (trained(each, "p00") for each in (run, beside))
    assert len(mine) == len(other) == 3
    for own, plain in zip(mine, other, strict=True):  # the head three times, the body once
        assert (own["epochs"], own["steps"]) == (4 * plain["epochs"], 4 * plain["steps"])
    assert [path.name for path in (beside / "code" / "algorithm").iterdir()] == ["fedavg.py"]
    code, out = asked("verify", run, beside)
    assert (code, "final weights of p00" in out, "code of algorithm" in out) == (4, True, True)


FORGETS = """
from prisam_p2p.api import Peer, Traits, algorithm

@algorithm(Traits(dense=True, silent=True))
def forgets(me: Peer) -> None:
    weights, first = me.begin()
    for t in me.rounds_from(first):
        weights = me.train(t, weights)
        me.end_round(t, weights)
"""


def test_an_algorithm_that_deploys_nothing_is_told_so(tmp_path):
    (tmp_path / "mine.py").write_text(FORGETS)
    run = tmp_path / "run"
    where = ("--algorithm", f"{tmp_path}/mine.py:forgets", "--run-dir", run, "--rounds", "1")
    code, _, _ = launch(topology(tmp_path, FOUR), *where, "--quiet")
    assert code == 4
    (finished,) = [x for x in journal(run, "p00") if x["record"] == "finished"]
    assert "mine.py:forgets': expected an algorithm that ends with me.deploy" in finished["reason"]
