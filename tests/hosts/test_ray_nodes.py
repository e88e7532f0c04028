"""What Ray's figures mean: offers in an order that stays, what is reserved, and what is missing."""

from __future__ import annotations

from prisam_p2p.hosts.engines.ray_nodes import bundle, offers_of, why_not_placed
from prisam_p2p.plan.placement import HostOffer

_MIB = 2**20
_HOST = HostOffer("h2", "box", "10.77.0.2", cores=4, memory_mib=1000, gpus=1)
_FREE = {"CPU": 4.0, "memory": 1000.0 * _MIB, "GPU": 1.0}


def _node(address: str, **free: float) -> dict[str, object]:
    return {"node": f"node-{address}", "address": address, "free": free}


def test_the_heads_node_comes_first_and_the_others_by_address() -> None:
    head = {"CPU": 2.0, "node:__internal_head__": 1.0}
    nodes = [_node("10.0.0.10", CPU=1.0), _node("10.0.0.9", CPU=1.0), _node("10.0.0.12", **head)]
    offers = offers_of(nodes)
    assert [(each.name, each.address) for each in offers] == [
        ("h1", "10.0.0.12"),
        ("h2", "10.0.0.9"),
        ("h3", "10.0.0.10"),
    ]
    assert offers_of(reversed(nodes)) == offers


def test_an_offer_holds_what_is_free_in_whole_units() -> None:
    node = _node("10.0.0.9", CPU=3.5, memory=10.9 * _MIB, GPU=1.5)
    (offer,) = offers_of([node])
    assert offer == HostOffer("h1", "node-10.0.0.9", "10.0.0.9", 3, 10, 1)


def test_a_node_without_a_free_processor_is_not_offered() -> None:
    busy, idle = _node("10.0.0.1", CPU=0.5), _node("10.0.0.2", CPU=1.0)
    assert [each.address for each in offers_of([busy, _node("10.0.0.3"), idle])] == ["10.0.0.2"]


def test_a_bundle_asks_for_this_node_and_for_what_the_host_is_to_give() -> None:
    assert bundle(_HOST) == {"node:10.77.0.2": 0.001, "CPU": 4, "memory": 1000 * _MIB, "GPU": 1}
    without = HostOffer("h1", "box", "10.77.0.1", cores=1, memory_mib=0)
    assert bundle(without) == {"node:10.77.0.1": 0.001, "CPU": 1}  # Ray refuses a zero


def test_a_refusal_names_the_host_and_both_figures() -> None:
    free = {"10.77.0.2": {"CPU": 1.0, "memory": 999.5 * _MIB}}
    expected = "h2 (10.77.0.2) has 1 of 4 CPUs, 999 of 1,000 MiB of memory, 0 of 1 GPUs free"
    assert why_not_placed([_HOST], free) == expected


def test_a_refusal_names_a_node_that_has_gone() -> None:
    assert why_not_placed([_HOST], {}) == "h2 (10.77.0.2) is no node of Ray's any more"


def test_a_refusal_without_a_lack_says_so() -> None:
    assert why_not_placed([_HOST], {"10.77.0.2": _FREE}).startswith("Ray reserved nothing")
