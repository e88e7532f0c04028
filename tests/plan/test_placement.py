"""`place`: every peer on one host, no limit exceeded, and nothing depends on order or chance."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from prisam_p2p.errors import DoesNotFit
from prisam_p2p.plan.host_room import HostOffer, PeerNeeds
from prisam_p2p.plan.placement import (
    Lack,
    Placed,
    lacks_of,
    place,
    place_elsewhere,
    placed_as_before,
)
from prisam_p2p.settings import Placement

ROOMY = [HostOffer(f"h{i}", f"node{i}", f"10.0.0.{i}", 4, 8000, 2) for i in (1, 2, 3)]


def peers(n: int, **needs: object) -> dict[str, PeerNeeds]:
    each = PeerNeeds(**({"cores": 1.0, "memory_mib": 30.0} | needs))  # type: ignore[arg-type]
    return {f"p{i:02}": replace(each, group=i * 3 // n) for i in range(n)}


def lacks(
    placed: Placed, needs: dict[str, PeerNeeds], hosts: list[HostOffer], base_mib: int = 0
) -> list[Lack]:
    return lacks_of(placed.hosts, needs, hosts, {}, base_mib)


def drawn(seed: int) -> tuple[dict[str, PeerNeeds], list[HostOffer], Placement]:
    """Return a random case, most of which fit."""
    draw = random.Random(seed)
    hosts = [
        HostOffer(f"h{i}", f"n{i}", f"10.0.0.{i}", draw.randint(1, 16), draw.randint(500, 9000), 2)
        for i in range(1, draw.randint(2, 12))
    ]
    needs = {
        f"p{i:03}": PeerNeeds(
            cores=draw.choice([0.05, 0.2, 0.8, 1.0, 4.0]),
            memory_mib=draw.uniform(10, 120),
            training_mib=draw.uniform(0, 60),
            gpu=draw.choice([None, None, None, 0.0, 0.1]),
            group=draw.choice([0, 1, 2]),
        )
        for i in range(draw.randint(2, 60))
    }
    return needs, hosts, draw.choice([Placement.SPREAD, Placement.GROUP])


@pytest.mark.parametrize("seed", range(60))
def test_every_peer_is_placed_once_and_within_the_limits(seed: int) -> None:
    needs, hosts, policy = drawn(seed)

    placed = place(needs, hosts, policy, base_mib=100)

    assert list(placed.hosts) == sorted(needs)
    for host in hosts:
        here = [needs[peer] for peer, name in placed.hosts.items() if name == host.name]
        training = sorted((each.training_mib for each in here), reverse=True)[: host.cores]
        used_mib = 100 + sum(each.memory_mib for each in here) + sum(training)
        widest = max((each.cores for each in here), default=0)
        over = {name for lack in lacks(placed, needs, hosts, 100) for name in lack.over}
        assert host.name in over or (used_mib <= host.memory_mib and widest <= host.cores)
        for gpu in range(host.gpus):
            on_it = [p for p, seen in placed.gpus.items() if seen == (gpu,)]
            of_host = [p for p in on_it if placed.hosts[p] == host.name]
            assert sum(needs[peer].gpu or 0 for peer in of_host) <= 1 + 1e-9


@pytest.mark.parametrize("seed", range(30))
def test_the_order_of_peers_and_hosts_changes_nothing(seed: int) -> None:
    needs, hosts, policy = drawn(seed)
    shuffled = list(needs.items())
    random.Random(seed).shuffle(shuffled)

    again = place(dict(shuffled), hosts[::-1], policy, base_mib=100)

    assert again == place(needs, hosts, policy, base_mib=100)


@pytest.mark.parametrize("seed", range(30))
def test_what_was_placed_once_is_placed_so_again(seed: int) -> None:
    needs, hosts, policy = drawn(seed)
    placed = place(needs, hosts, policy, base_mib=100)

    again = placed_as_before(placed.hosts, needs, hosts, base_mib=100)

    assert (again and again.hosts) == (None if lacks(placed, needs, hosts, 100) else placed.hosts)


def test_equal_peers_go_to_equal_hosts_in_turn() -> None:
    placed = place(peers(6), ROOMY, Placement.SPREAD)

    assert list(placed.hosts.values()) == ["h1", "h2", "h3", "h1", "h2", "h3"]


def test_a_host_gets_as_many_peers_as_its_share_of_the_cores() -> None:
    hosts = [ROOMY[0], replace(ROOMY[1], cores=12)]

    placed = place(peers(16), hosts, Placement.SPREAD)

    assert Counter(placed.hosts.values()) == {"h1": 4, "h2": 12}


def test_groups_stay_together_where_they_fit() -> None:
    needs = peers(12)

    placed = place(needs, ROOMY, Placement.GROUP)

    for group in range(3):
        assert len({placed.hosts[p] for p, each in needs.items() if each.group == group}) == 1
    assert Counter(placed.hosts.values()) == {"h1": 4, "h2": 4, "h3": 4}


def test_a_group_that_fits_on_no_host_is_spread() -> None:
    small = [replace(host, memory_mib=100) for host in ROOMY]  # room for three peers each

    placed = place(peers(9), small, Placement.GROUP)
    assert Counter(placed.hosts.values()) == {"h1": 3, "h2": 3, "h3": 3}

    of_five = {peer: replace(each, group=0) for peer, each in peers(5).items()}
    assert len(set(place(of_five, small, Placement.GROUP).hosts.values())) > 1


def test_pins_are_kept_and_the_rest_is_spread() -> None:
    pins = {"p00": ["h3"], "p01": ["h3"], "p02": ["h1", "h2"]}

    placed = place(peers(6), ROOMY, Placement.PIN, pins)

    assert placed.hosts["p00"] == placed.hosts["p01"] == "h3"
    assert placed.hosts["p02"] in ("h1", "h2")
    assert Counter(placed.hosts.values()) == {"h1": 2, "h2": 2, "h3": 2}
    assert place(peers(6), ROOMY, Placement.SPREAD, pins).hosts["p00"] == "h1"


def test_large_peers_go_first_where_the_plans_order_leaves_no_room() -> None:
    needs = {f"p{i}": PeerNeeds(cores=0.1, memory_mib=m) for i, m in enumerate([40, 40, 90])}
    hosts = [replace(host, memory_mib=100) for host in ROOMY[:2]]

    placed = place(needs, hosts, Placement.SPREAD)

    assert lacks(placed, needs, hosts) == []
    assert placed.hosts["p0"] == placed.hosts["p1"] != placed.hosts["p2"]


def test_too_little_memory_is_told_with_figures() -> None:
    hosts = [replace(host, memory_mib=100) for host in ROOMY]

    needs = peers(12)
    (lack,) = lacks(place(needs, hosts, Placement.SPREAD, base_mib=40), needs, hosts, 40)

    assert lack.resource == "memory"
    assert (lack.needed, lack.offered) == (3 * 40 + 12 * 30, 300)
    assert lack.over == {"h1": (160, 100), "h2": (160, 100), "h3": (160, 100)}
    assert (lack.peers, lack.hosts) == (6, 6)
    six = peers(6)
    assert not lacks(place(six, hosts, Placement.SPREAD, base_mib=40), six, hosts, 40)


def test_any_number_of_peers_shares_the_cores_that_each_of_them_could_have_alone() -> None:
    two_cores = [replace(ROOMY[0], cores=2)]
    many, wide = peers(20), peers(2) | {"p90": PeerNeeds(cores=4.0)}

    assert not lacks(place(many, two_cores, Placement.SPREAD), many, two_cores)
    (lack,) = lacks(place(wide, two_cores, Placement.SPREAD), wide, two_cores)
    assert (lack.resource, lack.needed, lack.offered, lack.peers) == ("cores", 4.0, 2, 2)


def test_a_wide_peer_goes_to_a_host_with_enough_cores() -> None:
    hosts = [replace(ROOMY[0], cores=64), replace(ROOMY[1], cores=2), ROOMY[2]]
    needs = {f"p{i}": PeerNeeds(cores=0.1) for i in range(3)} | {"p9": PeerNeeds(cores=4.0)}

    assert place(needs, hosts, Placement.SPREAD).hosts["p9"] in ("h1", "h3")


def test_gpus_are_shared_and_given_whole() -> None:
    needs = peers(3, gpu=0.5) | {"p90": PeerNeeds(cores=1.0, gpu=1.0)}

    placed = place(needs, [replace(ROOMY[0], gpus=3)], Placement.SPREAD)

    shares = Counter(gpu for gpus in placed.gpus.values() for gpu in gpus)
    assert sorted(shares.values()) == [1, 1, 2] or sorted(shares.values()) == [1, 3]
    (whole,) = placed.gpus["p90"]
    assert shares[whole] == 1


def test_a_peer_without_a_share_sees_the_gpu_with_the_fewest_peers() -> None:
    placed = place(peers(4, gpu=0.0), ROOMY[:1], Placement.SPREAD)

    assert Counter(placed.gpus.values()) == {(0,): 2, (1,): 2}


def test_several_gpus_are_of_one_host() -> None:
    placed = place({"p0": PeerNeeds(cores=1.0, gpu=2.0)}, ROOMY, Placement.SPREAD)

    assert placed.gpus == {"p0": (0, 1)}


def test_too_few_gpus_are_refused_with_figures() -> None:
    with pytest.raises(DoesNotFit, match=r"7 peers need 7 GPUs.*h1 2 \(node1\), h2 2 \(node2\)"):
        place(peers(7, gpu=1.0), ROOMY, Placement.SPREAD)


def test_hosts_of_two_digits_come_after_those_of_one() -> None:
    hosts = [HostOffer(f"h{i}", f"n{i}", "10.0.0.1", 4, 8000) for i in (10, 2, 1)]

    assert list(place(peers(3), hosts, Placement.SPREAD).hosts.values()) == ["h1", "h2", "h10"]


def test_no_host_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="no host"):
        place(peers(2), [], Placement.SPREAD)


# -- the peers of a lost host ----------------------------------------------------------------


def lost(host: str, placed: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the peers that lived on a host, and where the others live."""
    moving = [peer for peer, where in placed.items() if where == host]
    return moving, {peer: where for peer, where in placed.items() if where != host}


def test_peers_of_a_lost_host_go_where_the_least_is_taken() -> None:
    needs = peers(12)
    moving, staying = lost("h2", place(needs, ROOMY, Placement.SPREAD).hosts)
    again = place_elsewhere(moving, staying, needs, [ROOMY[0], ROOMY[2]])
    assert list(again.hosts) == moving
    assert Counter(again.hosts.values()) == {"h1": 2, "h3": 2}


def test_peer_that_has_no_room_elsewhere_is_absent() -> None:
    needs = peers(6, memory_mib=100.0)
    hosts = [replace(host, memory_mib=300) for host in ROOMY[:2]]
    moving, staying = lost("h2", place(needs, hosts, Placement.SPREAD).hosts)
    assert place_elsewhere(moving, staying, needs, hosts[:1]).hosts == {}
    roomier = [replace(hosts[0], memory_mib=500)]
    again = place_elsewhere(moving, staying, needs, roomier)
    assert again.hosts == dict.fromkeys(sorted(moving)[:2], "h1")


def test_where_a_launch_was_forced_to_exceed_the_hosts_a_restart_does_too() -> None:
    needs = peers(8, memory_mib=100.0)
    hosts = [replace(host, memory_mib=100) for host in ROOMY]
    placed = place(needs, hosts, Placement.SPREAD)
    assert lacks(placed, needs, hosts)
    moving, staying = lost("h3", placed.hosts)
    again = place_elsewhere(moving, staying, needs, hosts[:2])
    assert sorted(again.hosts) == sorted(moving)


def test_pin_holds_as_long_as_one_of_its_hosts_is_left() -> None:
    needs = peers(4)
    pins = {"p00": ("h2", "h3"), "p01": ("h2",)}
    placed = {"p00": "h2", "p01": "h2", "p02": "h3", "p03": "h3"}
    moving, staying = lost("h2", placed)
    again = place_elsewhere(moving, staying, needs, [ROOMY[0], ROOMY[2]], pins)
    assert again.hosts == {"p00": "h3", "p01": "h1"}


def test_peer_that_needs_a_gpu_goes_where_one_is_left() -> None:
    needs = peers(4, gpu=1.0)
    hosts = [replace(ROOMY[0], gpus=3), replace(ROOMY[1], gpus=2), replace(ROOMY[2], gpus=0)]
    placed = {"p00": "h1", "p01": "h1", "p02": "h2", "p03": "h2"}
    moving, staying = lost("h2", placed)
    again = place_elsewhere(moving, staying, needs, [hosts[0], hosts[2]])
    assert (again.hosts, again.gpus) == ({"p02": "h1"}, {"p02": (2,)})
