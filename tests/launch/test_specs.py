"""What each peer's process is given: at the start of a run, and in a later launch of it."""

from contextlib import closing
from pathlib import Path

import pytest

from prisam_p2p.control.spec import AttackSpec, BoardSpec, Incarnation
from prisam_p2p.launch.past import Past
from prisam_p2p.launch.specs import LaunchFacts, build_specs, first_incarnations
from prisam_p2p.netns.loopback import Loopback
from prisam_p2p.plan.planning import prepare
from prisam_p2p.plan.topology import load_topology, resolve_settings
from prisam_p2p.shipped import TOPOLOGIES

FACTS = LaunchFacts("00" * 8, Path("run"), 0.0, None, BoardSpec(fd=9, n_peers=8))
RUN = Past("00" * 8)
PEERS_OF_RING = [f"p0{i}" for i in range(8)]


@pytest.fixture(scope="module")
def specs_of():
    """Build the specs of ring-8 with some settings, after some past."""
    topology = load_topology(TOPOLOGIES / "ring-8.toml")

    def build(past=RUN, **overrides):
        prepared = prepare(topology, resolve_settings(topology, overrides))
        with closing(prepared.images):
            network = Loopback(list(prepared.plan.peers), FACTS.run_id)
            specs = build_specs(prepared, prepared.plan, FACTS, network, None, past)
        return {spec.peer_id: spec for spec in specs}

    return build


def test_every_peer_has_a_spec_and_its_place_in_the_plan(specs_of):
    specs = specs_of()
    assert [*specs] == PEERS_OF_RING
    assert [spec.index for spec in specs.values()] == [*range(8)]
    assert specs["p00"].neighbors == ["p01", "p07"]
    assert specs["p00"].board.places == {"p01": 1, "p07": 7}
    assert specs["p00"].degrees == {"p01": 2, "p07": 2}
    assert {spec.keys for spec in specs.values()} == {None}
    assert len({spec.address for spec in specs.values()}) == 8


def test_keys_are_in_the_spec_when_it_is_built(specs_of):
    specs = specs_of(security="curve")
    assert specs["p00"].keys.neighbors == {n: specs[n].keys.public for n in ("p01", "p07")}


def test_a_peer_that_is_over_has_no_spec_and_is_no_neighbor(specs_of):
    specs = specs_of(Past("00" * 8, launches=1, over={"p01": "completed"}), security="curve")
    assert [*specs] == [peer for peer in PEERS_OF_RING if peer != "p01"]
    assert (specs["p00"].neighbors, [*specs["p00"].keys.neighbors]) == (["p07"], ["p07"])
    assert specs["p02"].index == 2  # as before: what it draws follows from it
    assert specs["p00"].degrees == {"p01": 2, "p07": 2}


def test_only_an_algorithm_that_may_know_the_groups_is_told_them(specs_of):
    assert {tuple(spec.true_group) for spec in specs_of().values()} == {()}
    groups = specs_of(algorithm="oracle")
    assert all(peer in spec.true_group for peer, spec in groups.items())


def test_first_processes_begin_with_w0():
    assert first_incarnations(["a", "b"], None, RUN) == dict.fromkeys("ab", Incarnation())


def test_first_processes_of_a_later_launch_continue():
    past = Past("00" * 8, launches=1, incarnations={"a": 2}, rounds={"a": 5, "b": 6})
    assert first_incarnations(["a", "b"], None, past) == {
        "a": Incarnation(number=2, source="state", first_round=5),
        "b": Incarnation(number=0, source="state", first_round=6),
    }


def test_the_module_that_plays_a_process_follows_from_its_attack():
    attack = AttackSpec(fault="f#0", kind="nan")
    assert Incarnation().entry == "prisam_p2p.peer.process"
    assert Incarnation(attack=attack).entry == "prisam_p2p.byzantine.process"
