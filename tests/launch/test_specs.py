"""What each peer's process is given: at the start of a run, and in a later launch of it."""

from contextlib import closing
from pathlib import Path

import pytest

from prisam_p2p.control.spec import AttackSpec, BoardSpec, Incarnation
from prisam_p2p.launch.past import Past
from prisam_p2p.launch.specs import LaunchFacts, build_specs, first_incarnations
from prisam_p2p.learn.data_in_time import Drift
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

    def build(past=RUN, drifts=(), control=False, **overrides):
        settings = resolve_settings(topology, overrides)
        prepared = prepare(topology, settings, drifts_of=lambda _: drifts)
        plan = prepared.plan.without_changes() if control else prepared.plan
        with closing(prepared.images):
            network = Loopback(list(prepared.plan.peers), FACTS.run_id)
            specs = build_specs(prepared, plan, FACTS, network, None, past)
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


DRIFTS = [Drift("f#0", "p00", 1, "next", until=2)]


def test_later_data_are_in_the_spec_and_in_the_images(specs_of):
    before, after = specs_of()["p00"], specs_of(drifts=DRIFTS)["p00"]
    there, back = after.data_changes
    assert [(x.round, x.fault, x.group) for x in (there, back)] == [(1, "f#0", 1), (2, "", 0)]
    assert (back.train, back.test) == (after.data.train, after.data.test)
    assert after.data.n_images > before.data.n_images
    assert max(there.train + there.validation + there.test) < after.data.n_images
    assert not {*there.train} & {*after.data.train}
    assert before.data_changes == specs_of(drifts=DRIFTS)["p01"].data_changes == []


def test_a_control_run_keeps_its_data(specs_of):
    specs = specs_of(drifts=DRIFTS, control=True, algorithm="oracle")
    assert specs["p00"].data_changes == specs["p00"].true_group_changes == []


def test_the_oracle_is_told_the_data_groups_of_each_round(specs_of):
    specs = specs_of(drifts=DRIFTS, algorithm="oracle")
    p00, mate = specs["p00"], specs["p01"]
    assert p00.true_group == mate.true_group
    (one, moved), (two, home) = p00.true_group_changes
    assert (one, two, home) == (1, 2, p00.true_group)
    assert set(moved) & set(p00.true_group) == {"p00"}
    assert "p00" not in mate.true_group_changes[0][1]
    assert specs_of(drifts=DRIFTS)["p00"].true_group_changes == []


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
