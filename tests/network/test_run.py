"""One small real run, looked at from every side; then the same plan again."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from launching import FAST, SMALL, asked, journal, launch, topology

from prisam_p2p.learn.datasets import load_dataset
from prisam_p2p.learn.personalized import load_personalized

pytestmark = pytest.mark.network

PEERS, ROUNDS = 6, 3
HALF = FAST + "macs_share = 0.29\n"
MIXED = SMALL.replace('["fast"]', '["fast", "half"]')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    file = topology(folder, MIXED, half=HALF)
    code, out, err = launch(file, "--run-dir", folder / "one", "--format", "json")
    assert code == 0, err
    (folder / "one.json").write_text(out)
    return folder / "one"


@pytest.fixture(scope="module")
def summary(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())


def test_what_is_printed_is_the_summary(run, summary):
    assert json.loads(run.with_suffix(".json").read_text()) == {"run_dir": str(run), **summary}


def test_every_peer_was_a_process_and_completed(run, summary):
    assert summary["status"] == "completed"
    assert len({peer["pid"] for peer in summary["peers"].values()}) == PEERS
    for peer in summary["peers"]:
        records = [line["record"] for line in journal(run, peer)]
        assert records[0] == "started"
        assert records[-1] == "finished"
        assert records.count("trained") == records.count("aggregated") == ROUNDS
        assert not (run / "logs" / f"{peer}.log").read_text()


def test_budgets_became_ratios_and_sizes(summary):
    dense, half = summary["peers"]["p00"], summary["peers"]["p01"]
    assert (dense["prune_ratio"], half["prune_ratio"]) == (0.0, 0.5)
    assert half["macs"] <= 0.29 * dense["macs"]
    assert half["params"] < 0.27 * dense["params"]


def test_groups_are_those_of_the_data(run, summary):
    truth = json.loads((run / "plan.json").read_text())["peers"]
    for peer, result in summary["peers"].items():
        mine = [other for other in truth if truth[other]["group"] == truth[peer]["group"]]
        assert result["group"] == mine
    assert summary["grouping"]["ari"] == 1.0


def test_masks_cost_a_first_one_and_never_more_than_packed_bits(summary):
    n_messages = PEERS * (PEERS - 1) * ROUNDS
    assert summary["bytes"]["mask"]["messages"] == n_messages
    packed = math.ceil(176 / 8)
    assert n_messages / ROUNDS * packed <= summary["bytes"]["mask"]["payload"]
    assert summary["bytes"]["mask"]["payload"] <= n_messages * packed


def test_weight_bytes_are_those_of_the_pulls(run, summary):
    pulled = [x for p in summary["peers"] for x in journal(run, p) if x["record"] == "pulled"]
    assert len(pulled) == PEERS * 2 * ROUNDS  # two others in a group of three
    assert summary["bytes"]["weights"]["payload"] == sum(x["n_bytes"] for x in pulled)


def test_what_goes_out_comes_in(summary):
    for kind in ("mask", "weights"):
        ways = [
            sum(peer["bytes"][way][kind]["payload"] for peer in summary["peers"].values())
            for way in ("in", "out")
        ]
        assert ways[0] == ways[1] > 0


def test_a_personalized_model_scores_what_was_deployed(run, summary):
    split = json.loads((run / "plan.json").read_text())["peers"]["p01"]["classes"]
    digits = load_dataset("digits", None, False, None)
    rows = np.flatnonzero(np.isin(digits.test_labels, np.flatnonzero(split)))
    net = load_personalized(run / "models" / "p01.safetensors")
    with torch.no_grad():
        logits = net(torch.from_numpy(digits.images("test", rows)))
    right = (logits.argmax(1).numpy() == digits.test_labels[rows]).mean()
    # its own test images are 150 of these
    assert right == pytest.approx(summary["peers"]["p01"]["accuracy"]["deployed"], abs=0.08)
    assert net.net[0].weight.shape[0] == 8 if hasattr(net, "net") else True


def test_the_split_is_drawn(run):
    table = (run / "split.txt").read_text()
    assert all(f"p0{i}" in table for i in range(PEERS))


def test_the_same_plan_gives_the_same_run(run, folder):
    code, _, err = launch(run / "plan.json", "--run-dir", folder / "two", "--quiet")
    assert code == 0, err
    code, out = asked("verify", run, folder / "two")
    assert (code, out.split(":")[0]) == (0, "the same")


def test_spawned_processes_give_the_same_run(run, folder):
    code, _, err = launch(
        run / "plan.json", "--run-dir", folder / "spawned", "--start", "spawn", "--quiet"
    )
    assert code == 0, err
    assert asked("verify", run, folder / "spawned")[0] == 0


def test_another_seed_gives_another_run(run, folder):
    launch(run / "plan.json", "--run-dir", folder / "other", "--seed", "1", "--quiet")
    code, out = asked("verify", run, folder / "other")
    assert code == 4
    assert "masks of p00" in out


def test_peers_that_reach_the_target_loss_leave_and_the_others_go_on(run, folder):
    """Who leaves is not waited for: the deadline of a round (120 s) is never met."""
    options = ["--rounds", 40, "--target-loss", 0.6, "--run-dir", folder / "target"]
    code, out, err = launch(run / "plan.json", *options, "--format", "json")
    assert code == 0, err
    finished = {
        peer: journal(folder / "target", peer)[-1]["rounds"] for peer in json.loads(out)["peers"]
    }
    assert max(finished.values()) < 40
    for peer, rounds in finished.items():
        losses = [x["loss"] for x in journal(folder / "target", peer) if x["record"] == "trained"]
        assert len(losses) == rounds
        assert losses[-1] <= 0.6 < min([*losses[:-1], 9.0])


def test_who_was_not_waited_for_is_told(run, folder):
    """Masks come as training ends, one after another: a millisecond is enough for none."""
    impatient = ("--round-timeout-s", "0.001", "--run-dir", folder / "impatient")
    code, out, err = launch(run / "plan.json", *impatient)
    assert code == 0, err
    left = json.loads((folder / "impatient" / "summary.json").read_text())["left_out"]
    assert left["masks"] > 0
    assert f"left out between peers that no fault hit: {left['masks']} mask" in out


def test_local_sends_nothing_and_ends_dense(run, folder):
    code, out, err = launch(
        run / "plan.json", "--algorithm", "local", "--run-dir", folder / "local", "--format", "json"
    )
    assert code == 0, err
    summary = json.loads(out)
    assert {count["messages"] for count in summary["bytes"].values()} == {0}
    assert {peer["prune_ratio"] for peer in summary["peers"].values()} == {0.0}
    assert summary["accuracy"]["after_aggregation"] is None


@pytest.mark.parametrize(
    "options",
    [
        "--prune-order after-training --grouping dbscan",
        "--grouping top-m --top-m 2 --similarity-layers last-2 --no-bn-recalibration",
        "--regrowth-every 1 --gamma-l1 0.001 --no-turns --accuracy-guard 0.01",
        "--model resnet20 --width 0.5 --rounds 1 --split cluster-dirichlet",
        "--split iid --evaluate-every 2",
        "--split dirichlet --start zygote",
    ],
)
def test_every_choice_of_the_algorithm_runs(run, tmp_path, options):
    folder = ("--run-dir", tmp_path / "run", "--format", "json")
    code, out, err = launch(run / "plan.json", *options.split(), *folder)
    assert code == 0, err
    summary = json.loads(out)
    assert summary["status"] == "completed"
    assert summary["accuracy"]["deployed"] > 0.3
