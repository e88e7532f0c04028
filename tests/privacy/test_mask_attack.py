"""Attacks on masks that are made up: their bits say which classes a device has, or do not."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from prisam_p2p.cli import main
from prisam_p2p.privacy.attack import Devices, class_presence_auc, similarity_correlation

CLASSES, BITS = 4, 64


def devices(n, seed, telling):
    """Each class sets bits of its own; where they are not telling, bits are drawn."""
    rng = np.random.default_rng(seed)
    has = rng.random((n, CLASSES)) < 0.5
    masks = np.repeat(has, BITS // CLASSES, axis=1) if telling else rng.random((n, BITS)) < 0.5
    return Devices(masks, has)


def test_masks_that_tell_their_classes_are_read_with_certainty():
    found = class_presence_auc(devices(40, 0, telling=True), devices(20, 1, telling=True))
    assert found == 1.0
    assert similarity_correlation(devices(20, 1, telling=True)) == pytest.approx(1.0)


def test_masks_that_tell_nothing_are_guessed():
    found = class_presence_auc(devices(200, 0, telling=False), devices(400, 1, telling=False))
    assert found == pytest.approx(0.5, abs=0.08)
    assert similarity_correlation(devices(100, 1, telling=False)) == pytest.approx(0.0, abs=0.08)


def test_where_all_victims_have_the_same_classes_there_is_nothing_to_tell():
    same = Devices(np.zeros((5, BITS), np.bool_), np.ones((5, CLASSES), np.bool_))
    assert class_presence_auc(devices(9, 0, telling=True), same) is None
    assert similarity_correlation(same) is None


def test_the_command_reads_masks_of_digits_and_noise_hides_them():
    given = ["--shadows", 60, "--victims", 20, "--repeats", 1, "--epsilon", 0.1]
    result = CliRunner().invoke(main, ["privacy", *map(str, given), "--format", "json"])
    assert result.exit_code == 0, result.output
    plain, noisy = json.loads(result.stdout)["outcomes"]
    assert (plain["epsilon"], noisy["epsilon"]) == (None, 0.1)
    assert plain["auc"]["mean"] > 0.9
    assert plain["ari"]["mean"] > 0.9
    assert noisy["auc"]["mean"] < 0.75
    assert noisy["ari"]["mean"] < 0.5
    assert plain["auc"]["spread"] is None


def test_what_leaves_nothing_to_find_out_is_refused():
    result = CliRunner().invoke(main, ["privacy", "--classes-per-group", "10"])
    assert result.exit_code == 2
    assert "nothing to find out" in result.output
