"""Connections beyond neighbors: the state of the path between two peers."""

from hand_faults import fault, plan
from test_loopback_link_faults import Rules, both_ends

from prisam_p2p.control.messages import SetRule
from prisam_p2p.faults.compiler.targets import Targets
from prisam_p2p.faults.links.loopback_link_faults import LoopbackLinkFaults
from prisam_p2p.faults.links.network_link_faults import NetworkLinkFaults
from prisam_p2p.faults.links.path_links import NO_PATH, PathLinks
from prisam_p2p.netns.interface import Counts
from prisam_p2p.plan.link_properties import LinkState


def ways(*pairs):
    return [way for a, b in pairs for way in ((a, b), (b, a))]


LINE = ways("ab", "bc", "cd")
SQUARE = ways("ab", "bc", "cd", "da")


def both(a, b, state):
    return {(a, b): state, (b, a): state}


def test_along_a_path_delays_add_up_and_the_slowest_rate_holds():
    states = {
        ("a", "b"): LinkState(rate_mbit_s=10.0, delay_ms=20.0, jitter_ms=1.0, loss=0.5),
        ("b", "c"): LinkState(rate_mbit_s=5.0, delay_ms=5.0, jitter_ms=2.0, loss=0.5),
    }
    assert PathLinks(LINE, 2).states(states) == {
        ("a", "c"): LinkState(5.0, 25.0, 3.0, 0.75),
        ("b", "d"): states["b", "c"],
    }


def test_pairs_up_to_the_hops_away_have_a_state_and_neighbors_none():
    delayed = dict.fromkeys(LINE, LinkState(delay_ms=1.0))
    assert PathLinks(LINE, 1).states(delayed) == {}
    assert set(PathLinks(LINE, 2).states(delayed)) == {*ways("ac", "bd")}
    found = PathLinks(LINE, 9).states(delayed)
    assert {link: state.delay_ms for link, state in found.items()} == {
        **dict.fromkeys(ways("ac", "bd"), 2.0),
        **dict.fromkeys(ways("ad"), 3.0),
    }


def test_the_path_of_least_delay_counts_then_that_of_fewest_links():
    slow = {**both("a", "b", LinkState(delay_ms=9.0)), **both("c", "d", LinkState(delay_ms=4.0))}
    assert PathLinks(SQUARE, 2).states(slow)["a", "c"] == LinkState(delay_ms=4.0)
    five = ways("ab", "bc", "ax", "xy", "yc")
    rates = both("a", "b", LinkState(rate_mbit_s=1.0))
    assert PathLinks(five, 2).states(rates)["a", "c"] == LinkState(rate_mbit_s=1.0)


def test_a_cut_ends_a_connection_only_where_no_path_is_left():
    one = both("a", "b", LinkState(cut="reset"))
    assert PathLinks(SQUARE, 2).states(one) == {}
    two = {**one, **both("a", "d", LinkState(cut="drop"))}
    assert PathLinks(SQUARE, 2).states(two) == both("a", "c", NO_PATH)
    one_way = {("a", "b"): LinkState(cut="drop"), ("a", "d"): LinkState(cut="drop")}
    assert PathLinks(SQUARE, 2).states(one_way) == {("a", "c"): NO_PATH}


def test_without_faults_and_properties_nothing_is_computed():
    assert PathLinks(LINE, 9).states(dict.fromkeys(LINE, LinkState())) == {}


# -- as the two networks apply it ------------------------------------------------------


FOUR = ("p00", "p01", "p02", "p03")
LINKS = ways(("p00", "p01"), ("p01", "p02"), ("p02", "p03"))


def cut(*links, id="f"):
    targets = Targets(FOUR, LINKS, dict.fromkeys(FOUR), dict.fromkeys(FOUR, "x"))
    named = ", ".join(f'"{a}->{b}"' for a, b in links)
    return plan(fault(f"links = [{named}]\n", kind="cut", id=id), targets, rounds=4).occurrences[0]


class Applied:
    """A network that keeps the states it is given."""

    def __init__(self):
        self.states = None

    def apply(self, states):
        self.states = {link: state for link, state in states.items() if state != LinkState()}

    def counts(self, link):
        return Counts()


def test_a_network_is_given_the_states_of_connections_beyond_neighbors():
    network = Applied()
    base = dict.fromkeys(LINKS, LinkState(delay_ms=2.0))
    links = NetworkLinkFaults(network, LINKS, base, hops=2)
    assert network.states["p00", "p02"] == LinkState(delay_ms=4.0)
    assert ("p00", "p03") not in network.states
    fault_ = cut(*ways(("p00", "p01")))
    links.apply(fault_, 0.0)
    assert network.states["p00", "p02"] == network.states["p02", "p00"] == NO_PATH
    assert network.states["p01", "p03"] == LinkState(delay_ms=4.0)
    links.heal(fault_, 1.0)
    assert network.states["p00", "p02"] == LinkState(delay_ms=4.0)


def test_on_loopback_both_ends_drop_what_has_no_path():
    links = LoopbackLinkFaults(peers := Rules(), {}, LINKS, hops=2)
    fault_ = cut(*ways(("p00", "p01")))
    links.apply(fault_, 0.0)
    assert peers.drops() == both_ends(*ways(("p00", "p01"), ("p00", "p02")))
    links.heal(fault_, 1.0)
    assert peers.drops() == set()


def test_on_loopback_a_process_that_starts_gets_the_delays_of_paths():
    base = dict.fromkeys(LINKS, LinkState(delay_ms=2.0))
    given = []

    class Hands:
        def order(self, peer, order):
            assert isinstance(order, SetRule)
            given.append((order.rule.neighbors, order.rule.delay_ms))

    LoopbackLinkFaults(Hands(), base, LINKS, hops=3).on_up("p00")
    assert given == [
        (frozenset({"p01"}), 2.0),
        (frozenset({"p02"}), 4.0),
        (frozenset({"p03"}), 6.0),
    ]
