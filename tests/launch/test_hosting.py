"""Which hosts a run gets, and what of an earlier run's placement is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hand_plans import plan_of

from prisam_p2p.errors import ConfigError
from prisam_p2p.launch.hosting import check_settings, placement_line, plan_hosts
from prisam_p2p.plan.host_room import HostOffer
from prisam_p2p.plan.hosts_plan import HostsPlan
from prisam_p2p.plan.hosts_table import HostsTable
from prisam_p2p.plan.placement import place
from prisam_p2p.plan.plan import read_plan, topology_of
from prisam_p2p.plan.topology import Topology, load_topology
from prisam_p2p.preflight.counts import Circumstances, count
from prisam_p2p.preflight.host_needs import peer_needs
from prisam_p2p.settings import Placement, RunSettings
from prisam_p2p.shipped import TOPOLOGIES

OFFERS = [HostOffer(f"h{i}", f"node{i}", f"10.0.0.{i}", 4, 8000) for i in (1, 2, 3)]
PLAN = plan_of()
NEEDS = peer_needs(PLAN, count(PLAN, Circumstances(False, True, 4)), None)
TOPOLOGY = load_topology(TOPOLOGIES / "clusters-12.toml")
BASE_MIB = 300
SMALL = {peer: replace(each, memory_mib=30.0) for peer, each in NEEDS.items()}


def settings(**changes: object) -> RunSettings:
    return RunSettings.model_validate({"on": "local", **changes})


def planned(
    topology: Topology = TOPOLOGY, offers: list[HostOffer] = OFFERS, **changes: object
) -> tuple[HostsPlan, list[str]]:
    return plan_hosts(topology, settings(**changes), offers, SMALL, BASE_MIB)


def again(tmp_path: Path, hosts: HostsPlan) -> Topology:
    """Return the topology of the plan.json of a run on these hosts."""
    path = tmp_path / "plan.json"
    path.write_text(PLAN.model_copy(update={"hosts": hosts}).model_dump_json())
    return topology_of(read_plan(path), path)


def test_needs_follow_from_profile_and_data_group() -> None:
    assert NEEDS["p00"].profile == "laptop"
    assert (NEEDS["p00"].cores, NEEDS["p00"].memory_mib) == (0.8, 8192)
    assert {each.group for each in NEEDS.values()} == {0, 1, 2}
    assert {each.gpu for each in NEEDS.values()} == {None}


def test_a_placement_is_that_of_the_fields_of_its_plan() -> None:
    for policy in (Placement.SPREAD, Placement.GROUP):
        found, said = planned(placement=policy)
        assert said == []
        replayed = place(found.needs, list(found.hosts.values()), found.policy, {}, found.base_mib)
        assert replayed.hosts == found.placement
        assert list(found.placement) == list(PLAN.peers)


def test_the_plan_survives_plan_json(tmp_path: Path) -> None:
    found, _ = planned()
    assert again(tmp_path, found).hosts_before == found


def test_a_plan_on_its_own_hosts_is_placed_as_it_was(tmp_path: Path) -> None:
    found, _ = planned(placement="group")
    moved = found.placement | {"p00": "h2", "p04": "h1"}
    before = found.model_copy(update={"placement": moved})

    kept, said = planned(again(tmp_path, before), OFFERS[::-1])

    assert (kept.placement, said) == (moved, [])
    assert kept.policy is Placement.GROUP


def test_more_nodes_than_before_change_nothing(tmp_path: Path) -> None:
    found, _ = planned(hosts=2)

    kept, said = planned(again(tmp_path, found), OFFERS)

    assert (kept.placement, list(kept.hosts), said) == (found.placement, ["h1", "h2"], [])


def test_a_plan_on_other_hosts_is_placed_anew_and_that_is_said(tmp_path: Path) -> None:
    found, _ = planned()

    other, said = planned(again(tmp_path, found), OFFERS[:2])

    assert set(other.placement.values()) == {"h1", "h2"}
    assert said == ["peers are placed anew: the run was begun on node1, node2, node3 (local)"]


def test_hosts_of_another_size_are_placed_anew_if_the_peers_do_not_fit(tmp_path: Path) -> None:
    found, _ = planned()
    narrow = [replace(OFFERS[0], memory_mib=BASE_MIB + 35), *OFFERS[1:]]

    other, said = planned(again(tmp_path, found), narrow)

    assert list(found.placement.values()).count("h1") > 1
    assert list(other.placement.values()).count("h1") <= 1
    assert len(said) == 1


def test_pins_to_hosts_that_are_gone_are_dropped_and_that_is_said(tmp_path: Path) -> None:
    pinned = replace(
        TOPOLOGY, hosts=HostsTable.model_validate({"peers": {"p00": ["h3"], "p01": ["h1"]}})
    )
    found, _ = planned(pinned)
    assert (found.policy, found.placement["p00"]) == (Placement.PIN, "h3")

    other, said = planned(again(tmp_path, found), OFFERS[:2])

    assert other.placement["p01"] == "h1"
    assert said[1:] == ["1 peers were pinned to hosts that are not there; they are spread"]


def test_the_command_line_wins_over_the_table() -> None:
    table = HostsTable.model_validate({"policy": "group", "count": 2})
    topology = replace(TOPOLOGY, hosts=table)

    assert planned(topology)[0].policy is Placement.GROUP
    assert len(planned(topology)[0].hosts) == 2
    found, _ = planned(topology, placement="spread", hosts=3)
    assert (found.policy, len(found.hosts)) == (Placement.SPREAD, 3)


def test_too_many_hosts_name_what_asked_for_them() -> None:
    with pytest.raises(ConfigError, match="--hosts = 4: expected at most the 3"):
        planned(hosts=4)
    table = HostsTable.model_validate({"count": 5})
    with pytest.raises(ConfigError, match=r"clusters-12.toml: hosts.count = 5: expected at most"):
        planned(replace(TOPOLOGY, hosts=table))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"on": "none", "hosts": 2}, "--hosts = 2: expected none, or --on ray, slurm or local"),
        ({"on": "ray", "security": "plain"}, "--security = 'plain': expected curve or auto"),
        ({"network": "namespaces"}, "--network = 'namespaces': expected loopback or auto"),
        (
            {"on": "ray", "network": "namespaces", "on_host_loss": "restart"},
            "--on-host-loss = 'restart': expected lost",
        ),
        ({"start": "spawn"}, "--start = 'spawn': expected zygote"),
    ],
)
def test_settings_that_contradict_the_hosts_are_refused(
    changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        check_settings(settings(**changes))


def test_namespaces_go_with_hosts_of_a_cluster() -> None:
    check_settings(settings(on="ray", network="namespaces"))
    check_settings(settings(on="slurm", network="namespaces"))


def test_plain_connections_may_be_tried_on_this_machine() -> None:
    check_settings(settings(security="plain"))
    check_settings(RunSettings(security="plain"))


def test_a_pin_policy_without_pins_is_refused() -> None:
    with pytest.raises(ConfigError, match="--placement = 'pin': expected group or spread"):
        planned(placement="pin")


def test_a_line_tells_where_the_peers_live() -> None:
    found, _ = planned(hosts=2)
    counts = [list(found.placement.values()).count(name) for name in ("h1", "h2")]
    assert placement_line(found) == (
        f"12 peers on 2 hosts of local, spread: h1 (node1) {counts[0]}, h2 (node2) {counts[1]}"
    )
