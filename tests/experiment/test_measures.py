"""The measures of a run folder made by hand."""

import json

import pytest

from prisam_p2p.experiment.measures import announced, measure, measured
from prisam_p2p.report.database import write_parquet
from prisam_p2p.report.ledger import LedgerRow
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.run_tables import table_of

MIB = 2**20
MASKS = {"a": "f0", "b": "f8", "c": "0f", "d": "1f"}
GROUPS = {"a": 0, "b": 0, "c": 1, "d": 1}


@pytest.fixture
def run(tmp_path):
    """Four peers and one round; all but c deploy the model after aggregation."""
    folder = tmp_path / "cell" / "run"
    (folder / "journal").mkdir(parents=True)
    peers = {p: {"group": g, "prune_ratio": 0.5} for p, g in GROUPS.items()}
    plan = {
        "peers": peers,
        "settings": {"algorithm": "prisam"},
        "model": {"mask_bits": 8, "n_bytes": 1000, "macs": 400},
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    for peer, mask in MASKS.items():
        better = peer != "c"
        lines = [
            {"record": "masked", "round": 0, "similarity": mask},
            {"record": "announced", "round": 0},
            {"record": "evaluated", "round": 0, "moment": "after_training"}
            | {"validation": 0.5, "test": 0.4},
            {"record": "evaluated", "round": 0, "moment": "after_aggregation"}
            | {"validation": 0.5 if better else 0.1, "test": 0.8},
            {"record": "grouped", "round": 0, "labels": dict.fromkeys(GROUPS, 0) | {"d": 1}}
            | {"group": [peer]},
            {"record": "pulled", "round": 0, "donor": "b", "fetched_bytes": 250},
            {
                "record": "heard",
                "round": 0,
                "peers": [],
                "missing": {} if better else {"a": "late", "b": "late"},
            },
            {"record": "deployed", "validation": 0.5, "test": 0.8, "prune_ratio": 0.5}
            | {"macs": 100, "n_bytes": 260},
            {"record": "finished", "rounds": 1},
        ]
        path = folder / "journal" / f"{peer}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    rows = [
        LedgerRow("a", "b", "hello", -1, wire=MIB),
        LedgerRow("a", "b", "weights", 0, messages=1, payload=MIB, wire=2 * MIB),
        LedgerRow("a", "b", "mask", 0, messages=4, payload=8, wire=MIB),
    ]
    write_parquet(table_of("ledger", LedgerRow, rows), folder / "ledger.parquet")
    by_kind = {r.kind: {"wire": r.wire, "payload": r.payload, "messages": r.messages} for r in rows}
    spent = {"a": 100, "b": 300, "c": 200, "d": None}  # d's journal is of an older release
    of_peers = {peer: {"training_macs": macs} for peer, macs in spent.items()}
    accuracy = {"after_aggregation": 0.8, "after_training": 0.4, "deployed": 0.7}
    summary = {"status": "completed", "bytes": by_kind, "duration_s": 3.0, "peers": of_peers}
    summary |= {"accuracy": accuracy, "grouping": {"chosen_in_group": 1.0}}
    (folder / "summary.json").write_text(json.dumps(summary))
    return RunFolder(folder)


def test_measures_of_a_run(run):
    found = measure(run)
    first = found.rounds[0]
    assert first["accuracy_deployed"] == pytest.approx((3 * 0.8 + 0.4) / 4)
    assert first["accuracy_aggregated"] == pytest.approx(0.8)
    assert first["sent_mib"] == 4.0
    assert first["weights_mib"] == 1.0
    assert first["mask_auc"] == 1.0
    assert found.values["sent_mib"] == 4.0
    assert found.values["weights_mib_a_peer_and_round"] == 0.25
    assert found.values["mask_bytes"] == 2.0
    assert found.values["weights_share"] == 0.25
    assert found.values["macs_share"] == 0.25
    assert found.values["training_giga_macs"] == 200e-9
    assert found.values["model_bytes_share"] == 0.26
    assert found.values["accuracy_deployed"] == 0.7
    assert found.values["left_out"] == 2


def test_drifted_peers_are_those_whose_group_changes_and_none_without_a_change(run):
    assert measure(run).values["accuracy_drifted"] is None
    fresh = RunFolder(run.path)
    fresh.plan["peers"]["c"]["data_changes"] = [{"round": 1, "group": 7}]
    found = measure(fresh)
    assert found.rounds[0]["accuracy_drifted"] == 0.4  # before the drift, the same peers
    assert found.values["accuracy_drifted"] == 0.8
    assert found.values["drifts_followed"] is None  # no round after it has an index


def test_left_out_has_no_value_without_peers_to_judge(run):
    run.plan["peers"] = {"e": {"group": 0}}  # a peer without neighbors
    assert measure(run).values["left_out"] is None


def test_d_psgd_deploys_the_aggregated_model_even_if_the_other_is_better(run):
    run.plan["settings"]["algorithm"] = "d-psgd"
    assert measure(run).rounds[0]["accuracy_deployed"] == pytest.approx(0.8)


def test_announced_masks_of_a_round(run):
    masks = announced(run, None)
    assert masks.groups == GROUPS
    assert masks.masks["b"].tolist() == [1, 1, 1, 1, 1, 0, 0, 0]
    assert announced(run, 5) is None


def test_measures_are_written_beside_the_run_and_read_again(run):
    cell = run.path.parent
    found = measured(cell)
    (run.path / "summary.json").unlink()
    assert measured(cell) == found
