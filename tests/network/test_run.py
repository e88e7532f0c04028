"""One small real run, looked at from every side; then the same plan again."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from launching import FAST, SMALL, asked, journal, launch, patient, topology
from named_time import named_shares

from prisam_p2p.learn.datasets import load_dataset
from prisam_p2p.learn.personalized import load_personalized

pytestmark = pytest.mark.network

PEERS, ROUNDS = 6, 3
IDS = [f"p{i:02d}" for i in range(PEERS)]
CHANCE = 0.1
HALVED = IDS[1::2]
HALF = FAST + "macs_share = 0.29\n"
MIXED = patient(SMALL.replace('["fast"]', '["fast", "half"]'))


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


def test_a_peers_time_is_named_second_by_second(run):
    assert min(named_shares(run).values()) >= 0.97
    spans = [s for x in journal(run, "p00") if x["record"] == "spans" for s in x["spans"]]
    phases = [phase for phase, _, _ in spans]
    assert {"training", "pruning", "clustering", "pulling", "averaging", "evaluating"} <= {*phases}
    trained = [line["wall_s"] for line in journal(run, "p00") if line["record"] == "trained"]
    training = sum(end - begin for phase, begin, end in spans if phase == "training")
    assert sum(trained) - 0.01 <= training


def test_the_masks_of_each_round_arrived_before_the_wait_for_them_ended(run):
    for peer in IDS:
        lines = journal(run, peer)
        heard = [line for line in lines if line["record"] == "heard"]
        arrivals = [line for line in lines if line["record"] == "arrivals"]
        assert [line["round"] for line in arrivals] == [*range(ROUNDS)]
        for wait, came in zip(heard, arrivals, strict=True):
            assert len(came["ms"]) == PEERS - 1
            assert min(came["ms"]) == 0
            assert came["t0_s"] + max(came["ms"]) / 1000 <= wait["t_s"] + 0.001


def test_each_pull_stands_in_both_journals(run):
    pulled = {
        (peer, x["donor"], x["round"]): x
        for peer, found in records(run, "pulled").items()
        for x in found
    }
    served = {
        (x["to"], donor, x["round"]): x
        for donor, found in records(run, "served").items()
        for x in found
    }
    assert served.keys() == pulled.keys()
    assert pulled
    for key, mine in pulled.items():
        its = served[key]
        assert (its["state"], its["n_bytes"]) == ("whole", mine["fetched_bytes"])
        assert 0 <= its["queued_s"] <= its["wall_s"]
        ended_s = mine["began_s"] + mine["wall_s"]
        assert mine["began_s"] - 0.001 <= its["began_s"] <= ended_s + 0.001


def test_each_round_tells_what_the_process_used_until_then(run, summary):
    for peer in IDS:
        found = [line for line in journal(run, peer) if line["record"] == "resources"]
        assert [line["round"] for line in found] == [*range(ROUNDS)]
        finished = journal(run, peer)[-1]
        cpu_s = [line["cpu_s"] for line in found]
        assert cpu_s == sorted(cpu_s)
        assert cpu_s[-1] <= finished["cpu_s"]
        moved = summary["peers"][peer]["bytes"]
        received = sum(counts["payload"] for counts in moved["in"].values())
        assert found[-1]["received_bytes"] == received
        assert 0 < found[0]["sent_bytes"] <= sum(c["payload"] for c in moved["out"].values())
        if sys.platform == "linux":
            assert all(line["memory_mib"] > 0 for line in found)


def test_accuracy_is_told_by_class(run):
    for found in records(run, "evaluated").values():
        for line in found:
            assert len(line["right"]) == len(line["of"]) == 10
            assert line["test"] == pytest.approx(sum(line["right"]) / sum(line["of"]))


def test_the_plan_tells_whose_bits_a_mask_has(run):
    model = json.loads((run / "plan.json").read_text())["model"]
    layers = dict(model["mask_layers"])
    assert list(layers) == ["features.1", "features.5", "features.9", "features.13"]
    assert sum(layers.values()) == model["mask_bits"]


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
    assert net.features[0].out_channels == 8  # of 16: half of them are pruned


def test_the_split_is_drawn(run):
    table = (run / "split.txt").read_text()
    assert all(f"p0{i}" in table for i in range(PEERS))


def test_the_same_plan_gives_the_same_run(run, folder):
    code, _, err = launch(run / "plan.json", "--run-dir", folder / "two", "--quiet", fresh=True)
    assert code == 0, err
    code, out = asked("verify", run, folder / "two")
    assert (code, out.split(":")[0]) == (0, "the same")


def test_spawned_processes_without_turns_give_the_same_run(run, summary, folder):
    options = ("--start", "spawn", "--no-turns", "--quiet")
    code, _, err = launch(run / "plan.json", "--run-dir", folder / "spawned", *options)
    assert code == 0, err
    assert asked("verify", run, folder / "spawned")[0] == 0
    spawned = json.loads((folder / "spawned" / "summary.json").read_text())["start"]
    forked = summary["start"]  # whose memory is shared with the process that it is a fork of
    assert spawned["pss_mib_per_peer"] > 2 * forked["pss_mib_per_peer"]


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
    ended = [
        [x for x in journal(at, "launcher") if x["record"] == "settled"]
        for at in (run, folder / "target")
    ]
    assert [len(x) for x in ended] == [0, 1]  # a goodbye on its way is waited for
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
    assert f"left out between peers that no planned fault hit: {left['masks']} mask" in out


def test_local_sends_nothing_and_ends_dense(run, folder):
    code, out, err = launch(
        run / "plan.json", "--algorithm", "local", "--run-dir", folder / "local", "--format", "json"
    )
    assert code == 0, err
    summary = json.loads(out)
    assert {count["messages"] for count in summary["bytes"].values()} == {0}
    assert {peer["prune_ratio"] for peer in summary["peers"].values()} == {0.0}
    assert summary["accuracy"]["after_aggregation"] is None


# -- options: each run differs from the one above in what its options change, and says so --------


def variant(run: Path, folder: Path, options: str) -> tuple[Path, dict]:
    """Run the same plan with other options; return the run and its summary."""
    again = folder / "variant"
    code, _, err = launch(run / "plan.json", *options.split(), "--run-dir", again, "--quiet")
    assert code == 0, err
    summary = json.loads((again / "summary.json").read_text())
    assert summary["status"] == "completed"
    assert summary["accuracy"]["deployed"] > 1.5 * CHANCE
    return again, summary


def records(run: Path, kind: str) -> dict[str, list[dict]]:
    """Return peer -> its records of a kind, at least one each."""
    found = {p: [x for x in journal(run, p) if x["record"] == kind] for p in IDS}
    assert all(found.values()), f"no {kind} of some peer"
    return found


def values(run: Path, kind: str, key: str) -> dict[str, list]:
    return {peer: [line[key] for line in lines] for peer, lines in records(run, kind).items()}


def classes_of(run: Path) -> dict[str, list[int]]:
    """Return peer -> its training images of each class."""
    plan = json.loads((run / "plan.json").read_text())
    return {peer: each["classes"] for peer, each in plan["peers"].items()}


def test_after_training_trains_the_union_and_a_wide_dbscan_finds_one_group(run, tmp_path):
    options = "--prune-order after-training --grouping dbscan --dbscan-eps 1 --evaluate-every 2"
    other, summary = variant(run, tmp_path, options)
    for peer in HALVED:
        slim, union = (values(each, "trained", "parameters")[peer] for each in (run, other))
        assert slim[0] == union[0]  # the whole W0
        assert all(4 * a < 1.1 * b for a, b in zip(slim[1:], union[1:], strict=True))
    assert all(
        group == IDS for groups in values(other, "grouped", "group").values() for group in groups
    )
    assert summary["grouping"]["chosen_in_group"] == pytest.approx(2 / 5)
    for rounds in values(other, "evaluated", "round").values():
        assert rounds == [1, 1, 2, 2]  # the second, and the last


def test_top_m_chooses_m_masks_have_two_layers_and_iid_data_all_classes(run, tmp_path):
    options = "--grouping top-m --top-m 3 --similarity-layers last-2 --split iid"
    other, summary = variant(run, tmp_path, options)
    for peer, lines in records(other, "grouped").items():
        assert [(x["labels"], len(x["group"])) for x in lines] == [({}, 1 + 3)] * ROUNDS, peer
    assert all(min(mine) >= 2 and max(mine) <= 3 for mine in classes_of(other).values())
    assert {peer["data_group"] for peer in summary["peers"].values()} == {None}
    announced = {bits for each in values(other, "masked", "similarity").values() for bits in each}
    assert {len(bytes.fromhex(bits)) for bits in announced} == {(64 + 64) // 8}


def test_without_recalibration_the_average_has_other_statistics(run, tmp_path):
    other, _ = variant(run, tmp_path, "--no-bn-recalibration --rounds 1")

    def tests(each: Path, moment: str) -> dict[str, float]:
        lines = records(each, "evaluated")
        return {
            peer: x["test"]
            for peer, found in lines.items()
            for x in found
            if (x["round"], x["moment"]) == (0, moment)
        }

    between, _ = variant(run, tmp_path / "between", "--evaluate-before-recalibration --rounds 1")
    assert tests(between, "before_recalibration") == tests(other, "after_aggregation")
    assert tests(between, "after_aggregation") == tests(run, "after_aggregation")
    members = [
        {p: x[0] for p, x in values(r, "aggregated", "members").items()} for r in (run, other)
    ]
    assert members[0] == members[1]
    assert tests(run, "after_training") == tests(other, "after_training")
    recalibrated, not_so = (tests(each, "after_aggregation") for each in (run, other))
    assert all(recalibrated[peer] > not_so[peer] for peer in IDS)


def test_regrowth_trains_the_union_and_a_penalty_changes_the_first_loss(run, tmp_path):
    other, _ = variant(run, tmp_path, "--regrowth-every 1 --gamma-l1 0.01")
    assert {x for each in values(run, "aggregated", "regrowth").values() for x in each} == {False}
    assert {x for each in values(other, "aggregated", "regrowth").values() for x in each} == {True}
    for peer in HALVED:
        slim, union = (values(each, "trained", "parameters")[peer][1] for each in (run, other))
        assert 4 * slim < 1.1 * union
    plain, penalized = (values(each, "trained", "loss") for each in (run, other))
    assert all(plain[peer][0] != penalized[peer][0] for peer in IDS)


def test_the_guard_gives_channels_back_where_accuracy_falls(run, tmp_path):
    other, _ = variant(run, tmp_path, "--prune-ratio 0.9 --accuracy-guard 0 --rounds 6")
    acted = {
        peer: [x for x in journal(other, peer) if x["record"] == "guard_acted"] for peer in IDS
    }
    assert sum(map(len, acted.values())) > 0
    for peer, ratios in values(other, "masked", "prune_ratio").items():
        expected = [0.9]
        for t in range(1, 6):
            given_back = any(line["round"] == t - 1 for line in acted[peer])
            expected.append(round(expected[-1] - 0.05 * given_back, 2))
        assert ratios == expected
        assert all(line["validation"] < line["best"] for line in acted[peer])


def test_another_model_and_a_split_by_group_that_is_not_even(run, tmp_path):
    options = "--model resnet20 --width 0.5 --rounds 1 --split cluster-dirichlet"
    other, summary = variant(run, tmp_path, options)
    net = load_personalized(other / "models" / "p00.safetensors")
    widths = [each.out_channels for each in net.modules() if isinstance(each, torch.nn.Conv2d)]
    assert (len(widths), widths[0], widths[-1]) == (19 + 3, 16 // 2, 4 * 64 // 2)  # 3 shortcuts
    groups = {peer: each["data_group"] for peer, each in summary["peers"].items()}
    assert sorted(groups.values()) == [0, 0, 0, 1, 1, 1]
    classes = classes_of(other)
    for peer, mine in classes.items():
        assert len({n for n in mine if n}) > 1  # a pathological split has as many of each
        for mate in (each for each in classes if groups[each] == groups[peer]):
            assert max(abs(a - b) for a, b in zip(mine, classes[mate], strict=True)) <= 1


def test_a_dirichlet_split_gives_each_peer_a_mixture_of_its_own(run, tmp_path):
    other, summary = variant(run, tmp_path, "--split dirichlet")
    mixtures = set(map(tuple, classes_of(other).values()))
    assert len(mixtures) == PEERS
    assert all(max(mine) >= 4 and min(mine) == 0 for mine in mixtures)
    assert summary["grouping"]["ari"] is None
