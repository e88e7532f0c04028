"""Networks on users' own models, data, splits and groupings: the examples, run."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from launching import SMALL, journal, launch, topology

from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions.loading import load
from prisam_p2p.extensions.reference import CodeKind
from prisam_p2p.learn.personalized import load_personalized

pytestmark = pytest.mark.network

EXAMPLES = Path(__file__).parents[2] / "examples"
FOUR = SMALL.replace("count = 6", "count = 4").replace("rounds = 3", "rounds = 2")
TWO = FOUR.replace("count = 4", "count = 2").replace("groups = 2", "groups = 1")


def run_of(folder, *options, text=FOUR):
    run = folder / "run"
    code, _, err = launch(topology(folder, text), "--run-dir", run, "--quiet", *options)
    assert code == 0, err
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["status"], summary["closure"]["unexplained_bytes"]) == ("completed", 0)
    return run, json.loads((run / "plan.json").read_text())


def test_a_table_with_a_split_and_a_grouping_of_its_own(tmp_path):
    code = EXAMPLES / "table.py"
    run, plan = run_of(
        tmp_path,
        *("--dataset", f"{code}:wine", "--model", f"{code}:mlp", "--prune-ratio", "0.3"),
        *("--split", f"{code}:by_kind", "--grouping", f"{code}:nearest", "--batch-size", "4"),
    )
    assert (plan["model"]["image_shape"], plan["model"]["mean"]) == ([13], [])
    assert [peer["group"] for peer in plan["peers"].values()] == [0, 0, 1, 1]
    assert plan["clusters"] == 2
    assert sorted(plan["code"]) == ["dataset", "grouping", "model", "split"]
    assert {path.name for path in (run / "code").glob("*/*")} == {"table.py"}
    grouped = [x["group"] for x in journal(run, "p00") if x["record"] == "grouped"]
    assert [len(group) for group in grouped] == [2, 2]


def test_texts_whose_letters_are_indices(tmp_path):
    code = EXAMPLES / "text.py"
    run, plan = run_of(
        tmp_path,
        *("--dataset", f"{code}:numbers", "--model", f"{code}:text_net", "--split", "iid"),
        *("--images-per-peer", "60", "--prune-ratio", "0.3", "--start", "spawn"),
        text=TWO,
    )
    assert (plan["model"]["image_shape"], plan["model"]["dtype"]) == ([12], "int64")
    path = run / "models" / "p00.safetensors"
    with pytest.raises(ConfigError, match="as the argument factory"):
        load_personalized(path)
    net = load_personalized(path, load(CodeKind.MODEL, f"{code}:text_net", "--model").value)
    assert net.norm.num_features == 45  # of 64
    assert net(torch.zeros(3, 12, dtype=torch.int64)).shape == (3, 10)


def test_squeeze_and_excitation_on_images(tmp_path):
    run, plan = run_of(
        tmp_path, "--model", f"{EXAMPLES / 'se_net.py'}:se_net", "--width", "0.5", "--rounds", "1"
    )
    assert plan["model"]["mask_bits"] == 24
    deployed = [x for x in journal(run, "p01") if x["record"] == "deployed"]
    assert np.isfinite(deployed[0]["test"])
