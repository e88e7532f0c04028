"""Who takes whose place, when, and with which links."""

from pathlib import Path

import networkx as nx
import pytest

from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.link_properties import LinkState
from prisam_p2p.plan.replacements import Stay, Turnover, replacements, stays_of, with_newcomers
from prisam_p2p.plan.topology import Topology

PEERS = ("p00", "p01", "p02")


def turnover(t, *places, fault="f#0", to="same"):
    return Turnover(fault, t, places, to)


def found(*asked, peers=PEERS):
    return replacements(asked, "hand.toml", peers)


def line():
    """Return p00 - p01 - p02; the link from p00 to p01 is slow."""
    return Topology(
        name="line",
        path=Path("line.toml"),
        description="",
        peer_ids=PEERS,
        profiles=dict(zip(PEERS, ("phone", "laptop", "desktop"), strict=True)),
        graph=nx.path_graph(PEERS),
        run={},
        links={("p00", "p01"): LinkState(delay_ms=5.0)},
    )


def test_each_replacement_of_a_place_gets_the_next_id():
    told = [(x.round, x.leaves, x.comes) for x in found(turnover(4, "p01"), turnover(2, "p01"))]
    assert told == [(2, "p01", "p01-1"), (4, "p01-1", "p01-2")]


def test_a_place_changes_hands_once_in_a_round():
    told = found(turnover(2, "p01", fault="a#0"), turnover(2, "p01", "p02", fault="b#0"))
    assert [(x.fault, x.comes) for x in told] == [("a#0", "p01-1"), ("b#0", "p02-1")]


@pytest.mark.parametrize("peers", [("p00", "p00-1"), ("p" * 31,)])
def test_an_id_that_is_taken_or_too_long_is_refused(peers):
    with pytest.raises(ConfigError) as caught:
        found(turnover(1, peers[0]), peers=peers)
    assert "an id of at most 32 characters that no peer has" in str(caught.value)


def test_a_stay_ends_where_that_of_the_newcomer_begins():
    stays = stays_of(PEERS, found(turnover(2, "p01"), turnover(4, "p01")))
    assert stays == {
        "p00": Stay(0),
        "p01": Stay(0, 2),
        "p01-1": Stay(2, 4),
        "p01-2": Stay(4),
        "p02": Stay(0),
    }


def test_a_newcomer_has_the_links_and_the_profile_of_its_place():
    net = with_newcomers(line(), found(turnover(2, "p01")))
    assert net.peer_ids == ("p00", "p01", "p01-1", "p02")
    assert net.profiles["p01-1"] == "laptop"
    assert sorted(net.graph.neighbors("p01-1")) == ["p00", "p02"]
    assert net.links == {
        ("p00", "p01"): LinkState(delay_ms=5.0),
        ("p00", "p01-1"): LinkState(delay_ms=5.0),
    }


def test_peers_that_never_meet_are_not_linked():
    net = with_newcomers(line(), found(turnover(2, "p00", "p01"), turnover(4, "p00")))
    linked = {tuple(sorted(edge)) for edge in net.graph.edges}
    assert linked == {
        ("p00", "p01"),
        ("p01", "p02"),
        ("p00-1", "p01-1"),
        ("p00-2", "p01-1"),
        ("p01-1", "p02"),
    }


def test_without_replacements_the_network_is_the_same():
    net = with_newcomers(line(), [])
    assert (net.peer_ids, set(net.graph.edges)) == (PEERS, set(line().graph.edges))
    assert net.links == line().links
