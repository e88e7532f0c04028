"""Every algorithm has what it needs to run, alone or beside another."""

import pytest

from prisam_p2p.algorithms import Algorithm
from prisam_p2p.peer.baselines import LOOPS
from prisam_p2p.settings import RunSettings


def test_every_algorithm_has_a_loop():
    assert set(LOOPS) == set(Algorithm)


def test_no_two_algorithms_are_one_function():
    assert len(set(LOOPS.values())) == len(LOOPS)


@pytest.mark.parametrize("name", list(Algorithm))
def test_every_algorithm_can_be_run_beside_another(name):
    settings = RunSettings.model_validate_json(f'{{"baseline": "{name}"}}')
    assert settings.baseline is Algorithm(name.value)
    assert RunSettings.model_validate_json(settings.model_dump_json()) == settings


def test_no_baseline_is_none_in_files():
    assert RunSettings().baseline is None
    assert RunSettings().model_dump()["baseline"] == "none"
    assert RunSettings.model_validate_json('{"baseline": "none"}').baseline is None
