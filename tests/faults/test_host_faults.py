"""Faults of hosts, and peers that are selected by their host: what they hit, what is refused."""

import pytest
from hand_faults import fault, full, neighbors, plan, targets_on
from networkx import Graph
from test_injector import NotingPeers

from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.barrier_plan import barriers_of
from prisam_p2p.faults.compiler.resolve_hosts import check_hosts
from prisam_p2p.faults.injector import Injector
from prisam_p2p.faults.remaining import gone_for_good
from prisam_p2p.measure import records

SIX = full(6, hosts=3)  # p00 and p03 on h1, p01 and p04 on h2, p02 and p05 on h3
DOWN, CUT = ({"kind": "host-down"}, {"kind": "host-cut"})


def one(rest, targets=SIX, **kwargs):
    guard, seed = kwargs.pop("guard", None), kwargs.pop("seed", 0)
    (found,) = plan(fault(rest, **kwargs), targets, guard=guard, seed=seed).occurrences
    return found


# --- selectors ---


@pytest.mark.parametrize(
    ("selector", "peers"),
    [
        ('{ host = "h2" }', ["p01", "p04"]),
        ('{ host = ["h1", "h3"] }', ["p00", "p02", "p03", "p05"]),
        ('{ host = "h2", not = ["p01"] }', ["p04"]),
    ],
)
def test_peers_are_selected_by_their_host(selector, peers):
    assert one(f"peers = {selector}").peers == peers


def test_a_share_of_a_host_is_drawn():
    (peer,) = one('peers = { host = "h2", percent = 50 }').peers
    assert peer in ("p01", "p04")


def test_links_and_sides_are_selected_by_hosts_too():
    links = one('links = { between = [{ host = "h1" }, { host = "h2" }] }', kind="cut").links
    assert len(links) == 2 * 2 * 2
    sides = one('groups = [{ host = "h1" }, "all"]', kind="partition").parameters["groups"]
    assert sides == [["p00", "p03"], ["p01", "p02", "p04", "p05"]]


def test_host_is_one_of_the_restrictions():
    with pytest.raises(ConfigError, match="no host beside profile"):
        one('peers = { host = "h1", profile = "laptop" }')


@pytest.mark.parametrize(
    ("rest", "kind", "words"),
    [
        ('peers = { host = "h7" }', "kill", r"peers\.host = 'h7': .*there is h1, h2, h3"),
        ('hosts = "h7"', "host-cut", r"hosts = 'h7': expected a host of this run"),
        ('hosts = ["h1", "h2", "h3"]', "host-down", r"expected fewer than the 3 hosts"),
        ("hosts = { pick = 4 }", "host-down", r"hosts\.pick = 4: expected at most the 3 hosts"),
        ('hosts = { pick = 1, not = ["h9"] }', "host-down", r"hosts\.not = 'h9'"),
        ('hosts = { not = ["h1"] }', "host-down", r"hosts\.pick = \(missing\): expected a number"),
        ("hosts = []", "host-down", r"hosts = \[\]: expected a list of at least one host"),
        ("hosts = 2", "host-down", r'hosts = 2: expected a host such as "h2"'),
        ('host = "h2"', "host-down", r"host = 'h2': expected a known key; the nearest is hosts"),
        ('hosts = "h2"\nheal = { rounds = 1 }', "host-down", r"heal = .*on-host-loss restart"),
    ],
)
def test_what_names_no_host_is_refused(rest, kind, words):
    with pytest.raises(ConfigError, match=words):
        one(rest, kind=kind)


def test_a_transfer_takes_no_host_down():
    with pytest.raises(ConfigError, match=r"at\.event = 'transfer': expected phase, time_s or"):
        one('hosts = "h2"', kind="host-down", at='{ event = "transfer", share = 0.5 }')


@pytest.mark.parametrize(
    ("rest", "kind"),
    [
        ('peers = { host = "h2" }', "kill"),
        ('hosts = "h2"', "host-down"),
        ("hosts = { pick = 1 }", "host-cut"),
    ],
)
def test_without_hosts_they_are_refused(rest, kind):
    with pytest.raises(ConfigError, match="expected no host: all peers of this run live on one"):
        one(rest, full(6), kind=kind)


# --- what they hit ---


def test_a_host_goes_down_with_all_of_its_peers():
    found = one('hosts = "h2"', **DOWN)
    assert (found.peers, found.links) == (["p01", "p04"], [])
    assert found.parameters == {"hosts": ["h2"]}
    assert found.heal.never


def test_hosts_are_drawn_by_the_seed():
    drawn = [
        one("hosts = { pick = 1 }", seed=seed, **DOWN).parameters["hosts"] for seed in range(9)
    ]
    assert {host for (host,) in drawn} == {"h1", "h2", "h3"}
    assert drawn == [
        one("hosts = { pick = 1 }", seed=seed, **DOWN).parameters["hosts"] for seed in range(9)
    ]
    left = [one('hosts = { pick = 1, not = ["h1"] }', seed=s, **DOWN) for s in range(9)]
    assert {tuple(each.parameters["hosts"]) for each in left} == {("h2",), ("h3",)}


def test_a_cut_is_of_the_links_to_other_hosts():
    links = one('hosts = "h2"', **CUT).links
    inside = {"p01", "p04"}
    assert len(links) == 2 * 2 * 4
    assert all((a in inside) != (b in inside) for a, b in links)
    leaving = one('hosts = "h2"\none_way = true', **CUT).links
    assert set(leaving) == {(a, b) for a, b in links if a in inside}


def test_two_hosts_that_are_cut_off_do_not_reach_each_other():
    links = one('hosts = ["h1", "h2"]', **CUT).links
    assert ("p00", "p01") in links
    assert ("p00", "p03") not in links
    assert len(links) == 3 * 2 * (2 * 2)


def test_a_host_without_a_link_to_another_cannot_be_cut_off():
    apart = targets_on(Graph([("p00", "p02"), ("p01", "p03"), ("p00", "p01")]), hosts=2)
    assert one('hosts = "h1"', apart, **CUT).links
    alone = targets_on(Graph([("p00", "p02"), ("p01", "p03")]), hosts=2)
    with pytest.raises(ConfigError, match="a host with a link to another one"):
        one('hosts = "h1"', alone, **CUT)


def test_the_guard_spares_a_host_as_a_whole():
    assert one('hosts = "h2"', guard=2, **DOWN).peers == ["p01", "p04"]
    spared = one('hosts = "h2"', guard=1, **DOWN)
    assert (spared.peers, spared.cut_to_fit) == ([], 2)


def test_the_guard_spares_a_host_as_a_whole_where_the_clock_triggers_it():
    for most, downs in ((2, 2), (1, 0)):
        found = plan(fault('hosts = "h2"', at="{ time_s = 1.0 }", **DOWN), SIX, guard=most)
        peers, notes = HostedPeers(), []
        injector = Injector(found, peers, notes.append, barriers_of(found, neighbors(SIX)))
        injector.begin(0.0)
        injector.tick(1.5)
        assert len(peers.ended) == downs
        assert len([n for n in notes if isinstance(n, records.FaultMissed)]) == 2 - downs


# --- plans of earlier runs ---


def test_a_plan_fits_the_hosts_on_which_the_same_peers_live():
    down, cut = fault('hosts = "h2"', **DOWN), fault('hosts = "h1"', id="g", **CUT)
    found = plan(f"{down}\n\n{cut}", SIX)
    check_hosts(found, SIX, "faults.json")
    for targets in (full(6, hosts=2), full(6)):
        with pytest.raises(ConfigError, match=r"faults\.json: f#0 = 'host-down': .*live on h2"):
            check_hosts(found, targets, "faults.json")
        with pytest.raises(ConfigError, match=r"g#0 = 'host-cut'"):
            check_hosts(found, targets, "faults.json", {"g#0"})
        check_hosts(found, targets, "faults.json", set())


def test_a_peer_that_started_again_elsewhere_is_not_gone():
    found = plan(fault('hosts = "h2"', **DOWN), SIX)
    hits = [
        {"record": f"fault_{what}", "fault": "f#0", "peer": peer}
        for peer in ("p01", "p04")
        for what in ("applied", "verified")
    ]
    assert gone_for_good(found, hits) == {"p01", "p04"}
    back = {"record": "fault_healed", "fault": "f#0", "peer": "p04"}
    assert gone_for_good(found, [*hits, back]) == {"p01"}


class HostedPeers(NotingPeers):
    """Peers whose hosts can go down."""

    def __init__(self):
        super().__init__()
        self.ended = []

    def end_host(self, peer):
        self.ended.append(peer)
