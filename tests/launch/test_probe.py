"""The probe that stands for a peer: what it plays, and what comes out."""

from contextlib import contextmanager
from pathlib import Path

import pytest
from hand_plans import plan_of, with_settings
from launching import topology

from prisam_p2p.control.spec import BoardSpec
from prisam_p2p.launch import probe
from prisam_p2p.launch.probe import (
    STEPS,
    ProbeFailed,
    donors_of_a_probe,
    measure_peers,
    neighbors_of_a_probe,
    probe_spec,
)
from prisam_p2p.plan.planning import prepare
from prisam_p2p.plan.topology import load_topology, resolve_settings
from prisam_p2p.preflight.needs import MIB


@contextmanager
def prepared_with(folder, **settings):
    loaded = load_topology(topology(folder))
    prepared = prepare(loaded, resolve_settings(loaded, settings))
    try:
        yield prepared
    finally:
        prepared.images.close()


def test_a_probe_is_not_slowed_down_and_trains_few_steps(tmp_path):
    with prepared_with(tmp_path, images_per_peer=200) as prepared:
        board = BoardSpec(fd=0, n_peers=7)
        spec = probe_spec(prepared, prepared.plan, "p03", Path("run"), board)
    assert (spec.peer_id, spec.device.speed, spec.device.memory_mib) == ("p03", 1.0, None)
    assert len(spec.data.train) == STEPS * spec.settings.batch_size
    assert spec.neighbors == prepared.plan.peers["p03"].neighbors
    assert len(spec.barriers) == 2 * 4


def test_a_probe_that_pulls_from_all_it_hears_hears_few():
    plan = plan_of()
    assert len(neighbors_of_a_probe(plan, "p00")) == 11
    assert donors_of_a_probe(plan, "p00") == 3
    gossip = with_settings(plan, algorithm="d-psgd")
    assert len(neighbors_of_a_probe(gossip, "p00")) == donors_of_a_probe(gossip, "p00") == 8


@pytest.mark.parametrize(
    "algorithm",
    ["prisam", "local", "d-psgd", "dis-pfl-erk", "fedavg-ft", "fedrep", "ditto", "ifca"],
)
def test_a_probe_measures_what_a_peer_takes(tmp_path, algorithm):
    with prepared_with(tmp_path, algorithm=algorithm) as prepared:
        costs = measure_peers(prepared, prepared.plan, ("p00", "p05"))
    assert len(costs) == 2
    for cost in costs:
        assert 4 * MIB < cost.held_bytes <= cost.peak_bytes < 400 * MIB
        assert 0.0 < cost.step_s < 5.0
        assert cost.round_s > 0.0
        assert cost.start_s > 0.0


def test_a_probe_has_a_deadline(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "DEADLINE_S", 0.0)
    with prepared_with(tmp_path) as prepared, pytest.raises(ProbeFailed, match="within 0 s"):
        measure_peers(prepared, prepared.plan, ("p00", "p05"))


def test_a_probe_that_dies_says_why(tmp_path, monkeypatch):
    def broken(prepared, *_):
        spec = real(prepared, *_)
        return spec.model_copy(update={"data": spec.data.model_copy(update={"n_images": 1})})

    real = probe.probe_spec
    monkeypatch.setattr(probe, "probe_spec", broken)
    with prepared_with(tmp_path) as prepared, pytest.raises(ProbeFailed, match="ended early: Val"):
        measure_peers(prepared, prepared.plan, ("p00", "p05"))
