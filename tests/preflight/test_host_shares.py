"""What lives on each host, and what the hosts have too little of."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hand_plans import plan_of, with_settings

from prisam_p2p.plan.host_room import HostOffer, PeerNeeds
from prisam_p2p.plan.hosts_plan import HostsPlan
from prisam_p2p.plan.placement import place
from prisam_p2p.plan.plan import Plan
from prisam_p2p.preflight.counts import Circumstances, count
from prisam_p2p.preflight.host_needs import largest_needs, peer_needs
from prisam_p2p.preflight.host_shares import HostShare, host_shares
from prisam_p2p.preflight.host_verdict import shortages_of_hosts
from prisam_p2p.preflight.needs import offered_bytes
from prisam_p2p.preflight.peer_cost import PeerCost, PeerCosts
from prisam_p2p.settings import OnHostLoss, Placement

MIB = 2**20
OFFERS = [HostOffer(f"h{i}", f"node{i}", f"10.0.0.{i}", 4, 1000) for i in (1, 2, 3)]
AROUND = Circumstances(namespaces=False, secured=True, open_files=4)
COST = PeerCost(
    donors=0,
    trained=10,
    tested=10,
    parameters=1000,
    macs=1000,
    held_bytes=20 * MIB,
    peak_bytes=50 * MIB,
    page_table_bytes=MIB,
    start_s=0.1,
    step_s=0.1,
    dense_step_s=0.1,
    round_s=0.1,
)


def placed(
    plan: Plan,
    policy: Placement = Placement.GROUP,
    offers: list[HostOffer] = OFFERS,
    needs: dict[str, PeerNeeds] | None = None,
) -> Plan:
    needs = needs or peer_needs(plan, count(plan, AROUND), PeerCosts([COST]))
    found = place(needs, offers, policy, base_mib=100)
    hosts = HostsPlan(
        engine="local",
        policy=policy,
        lease_s=10,
        on_host_loss="lost",
        base_mib=100,
        hosts={each.name: each for each in offers},
        needs=needs,
        placement=found.hosts,
        gpus=found.gpus,
    )
    return plan.model_copy(update={"hosts": hosts})


def shares(plan: Plan) -> list[HostShare]:
    return host_shares(plan, count(plan, AROUND))


def told(plan: Plan) -> dict[str, str]:
    assert plan.hosts
    return {each.what: each.told for each in shortages_of_hosts(plan.hosts, shares(plan))}


def test_a_plan_without_hosts_has_no_shares() -> None:
    assert shares(plan_of()) == []


def test_every_link_is_counted_within_a_host_or_at_both_hosts() -> None:
    plan = placed(plan_of())
    found = shares(plan)
    links = sum(len(each.neighbors) for each in plan.peers.values()) // 2
    assert sum(each.links_within for each in found) == 3 * 6
    assert sum(each.links_across for each in found) == 2 * (links - 3 * 6)
    assert sum(each.peers for each in found) == 12
    assert found[0].profiles == {
        "laptop": 1,
        "phone-midrange": 1,
        "raspberry-pi-4": 1,
        "raspberry-pi-5": 1,
    }


def test_groups_on_one_host_pull_nothing_from_others_and_spread_ones_do() -> None:
    assert [each.pulled_bytes for each in shares(placed(plan_of()))] == [0, 0, 0]
    spread = placed(plan_of(), Placement.SPREAD)
    assert all(each.pulled_bytes > 0 for each in shares(spread))


def test_what_d_psgd_pulls_across_hosts_is_known_exactly() -> None:
    plan = placed(with_settings(plan_of(), algorithm="d-psgd"))
    (first, *_) = shares(plan)
    assert first.pulled_bytes == round(first.links_across * offered_bytes(plan))


def test_a_silent_run_exchanges_nothing() -> None:
    plan = placed(with_settings(plan_of(), algorithm="local"))
    assert {(s.links_within, s.links_across, s.pulled_bytes) for s in shares(plan)} == {(0, 0, 0)}


def test_memory_of_a_host_is_that_of_its_peers_and_its_agent() -> None:
    plan = placed(plan_of())
    assert plan.hosts
    here = [plan.hosts.needs[peer].memory_mib for peer in plan.hosts.peers_of("h1")]
    assert abs(shares(plan)[0].memory_mib - (100 + sum(here))) <= 1
    assert all(each > 50 for each in here)  # slower than a core: they hold their peak


def test_full_speed_devices_hold_less_while_they_wait() -> None:
    plan = plan_of("full-100")
    needs = peer_needs(plan, count(plan, AROUND), PeerCosts([COST]))
    fast = [each for each in needs.values() if each.profile == "server-core"]
    assert fast
    assert {each.training_mib for each in fast} == {30.0}
    assert all(n.training_mib == 0 for n in needs.values() if n.profile != "server-core")


def test_a_profile_without_a_share_sees_a_gpu_where_gpus_train() -> None:
    plan = with_settings(plan_of(), device="cuda")
    needs = peer_needs(plan, count(plan, AROUND), None)
    assert {each.gpu for each in needs.values()} == {0.0}


def test_an_engine_is_asked_for_as_much_as_the_peers_need() -> None:
    wide = [replace(each, cores=64, gpus=2) for each in OFFERS]
    hosts = placed(plan_of(), offers=wide).hosts
    assert hosts
    for name, reserved in hosts.reserved().items():
        needs = [hosts.needs[peer] for peer in hosts.peers_of(name)]
        assert reserved.cores == 2  # of a laptop and three slower devices
        assert sum(each.memory_mib for each in needs) + 100 < reserved.memory_mib < 1000
        assert reserved.gpus == 0
    later = hosts.model_copy(update={"on_host_loss": OnHostLoss.RESTART})
    assert {each.cores for each in later.reserved().values()} == {64}
    seen = {peer: replace(each, gpu=0.0) for peer, each in hosts.needs.items()}
    with_gpus = hosts.model_copy(update={"needs": seen})
    assert {each.gpus for each in with_gpus.reserved().values()} == {2}


def test_a_run_and_its_baseline_need_the_larger_of_both() -> None:
    a = {"p0": PeerNeeds(cores=1, memory_mib=10, training_mib=5)}
    b = {"p0": PeerNeeds(cores=1, memory_mib=7, training_mib=9)}
    assert largest_needs([a, b]) == {"p0": PeerNeeds(cores=1, memory_mib=10, training_mib=9)}


def test_memory_that_is_too_little_is_told_with_what_would_do() -> None:
    plan = placed(plan_of(), Placement.SPREAD, [replace(each, memory_mib=250) for each in OFFERS])
    text = told(plan)["memory"]
    assert text.startswith("12 peers and the agents need about ")
    assert "750 MiB are offered: h1 (node1) would need" in text
    assert "about 6 hosts like these, or at most about 6 of these peers" in text


def test_many_hosts_are_not_all_named() -> None:
    offers = [HostOffer(f"h{i}", f"n{i}", "10.0.0.1", 4, 120) for i in range(1, 9)]
    assert "and 5 more: " in told(placed(plan_of(), Placement.SPREAD, offers))["memory"]


def test_a_device_wider_than_every_host_is_told() -> None:
    needs = dict.fromkeys(plan_of().peers, PeerNeeds(cores=6.0, profile="wide"))
    text = told(placed(plan_of(), Placement.SPREAD, needs=needs))["cores"]
    assert text.startswith("a wide trains on 6 cores, h1 (node1) has 4, h2 (node2) has 4")


@pytest.mark.parametrize(
    ("limit", "what", "words"),
    [
        ({"threads": 10}, "threads", r"4 peers need 36 threads on h1 \(node1\), 10 are"),
        ({"process_files": 10}, "descriptors", r"a peer needs \d+ descriptors on h1"),
    ],
)
def test_limits_that_an_engine_tells_are_judged(
    limit: dict[str, int], what: str, words: str
) -> None:
    offers = [replace(OFFERS[0], **limit), *OFFERS[1:]]
    assert re.match(words, told(placed(plan_of(), offers=offers))[what])
    assert told(placed(plan_of())) == {}
