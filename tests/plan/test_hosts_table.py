"""The table [hosts]: what it may say, and which hosts and pins follow from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.host_room import HostOffer
from prisam_p2p.plan.hosts_table import HostsTable, check_pins, chosen_hosts
from prisam_p2p.plan.topology import Topology, load_topology
from prisam_p2p.settings import Placement

NET = '[peers]\ncount = 4\nprofiles = ["laptop", "raspberry-pi-4"]\n[links]\ngenerator = "full"\n'
OFFERS = [HostOffer(f"h{i}", f"node{i}", f"10.0.0.{i}", 4, 8000) for i in (1, 2, 3)]
GROUPS = {"p00": 0, "p01": 0, "p02": 1, "p03": 1}


def load(tmp_path: Path, table: str) -> Topology:
    path = tmp_path / "net.toml"
    path.write_text(f"{NET}[hosts]\n{table}\n")
    return load_topology(path)


def pins(topology: Topology) -> dict[str, tuple[str, ...]]:
    profiles = {peer: each.name for peer, each in topology.profiles.items()}
    return topology.hosts.pins(profiles, GROUPS, str(topology.path))


def test_a_topology_without_the_table_spreads_over_all_hosts(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text(NET)

    assert load_topology(path).hosts == HostsTable()
    assert HostsTable().default_policy is Placement.SPREAD


def test_peers_are_pinned_by_name_then_by_profile_then_by_group(tmp_path: Path) -> None:
    topology = load(
        tmp_path,
        'peers = { p00 = "h3" }\nprofiles = { laptop = ["h1", "h2"] }\ngroups = { 1 = "h2" }',
    )

    assert topology.hosts.default_policy is Placement.PIN
    assert pins(topology) == {"p00": ("h3",), "p02": ("h1", "h2"), "p03": ("h2",)}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('polciy = "spread"', r"hosts\.polciy = 'spread': .*nearest is policy"),
        ('policy = "even"', r"hosts\.policy = 'even': expected one of 'group', 'spread' or 'pin'"),
        ("count = 0", r"hosts\.count = 0: expected a number of at least 1"),
        ('policy = "pin"', r"hosts\.policy = 'pin': expected another policy, or a table peers"),
        ('policy = "group"\npeers = { p00 = "h1" }', r"'group': expected pin, as the table peers"),
        ('peers = { p00 = "H 1" }', r"hosts\.peers\.p00\[0\] = 'H 1': expected text that matches"),
        ("peers = { p00 = [] }", r"hosts\.peers\.p00 = \[\]: expected at least 1 items"),
        ('names = { a = "n1", b = "n1" }', r"hosts\.names = 'n1': expected every node once"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, table: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(tmp_path, table)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('peers = { p0 = "h1" }', r"hosts\.peers = 'p0': expected a peer of .*nearest is p0"),
        ('profiles = { laptops = "h1" }', r"'laptops': expected a profile .*nearest is laptop"),
        ('groups = { 7 = "h1" }', r"hosts\.groups = '7': expected a data group .*there is 0, 1"),
    ],
)
def test_a_pin_of_what_is_not_there_is_refused(tmp_path: Path, table: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        pins(load(tmp_path, table))


def chosen(count: int | None, names: dict[str, str]) -> list[tuple[str, str]]:
    found = chosen_hosts(OFFERS, count, names, ("--hosts", ""), "net.toml")
    return [(each.name, each.node) for each in found]


def test_hosts_are_taken_in_the_engines_order_and_named_nodes_first() -> None:
    assert chosen(2, {}) == [("h1", "node1"), ("h2", "node2")]
    assert chosen(None, {"big": "node3"}) == [
        ("big", "node3"),
        ("h1", "node1"),
        ("h2", "node2"),
    ]
    assert chosen(1, {"big": "node3"}) == [("big", "node3")]


def test_hosts_that_are_not_offered_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"--hosts = 4: .*at most the 3 .*node1, node2, node3"):
        chosen(4, {})
    with pytest.raises(ConfigError, match=r"hosts\.names\.big = 'node9': .*nearest is node"):
        chosen(None, {"big": "node9"})
    with pytest.raises(ConfigError, match=r"hosts\.names = 'h1': expected a name that no other"):
        chosen(None, {"h1": "node3"})


def test_a_pin_to_a_host_that_is_not_used_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"hosts \(p00\) = 'h3': expected a host of this run, 2"):
        check_pins({"p00": ("h3",)}, OFFERS[:2], "net.toml")
