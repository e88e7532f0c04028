"""Orders about links to the agents of several hosts, and what comes back, also of lost hosts."""

import pytest

from prisam_p2p.hosts.codec import decode_order, decode_report, encode
from prisam_p2p.hosts.messages import CountLink, LinkCounted, LinksSet, SetLinks
from prisam_p2p.hosts.remote_links import RemoteLinks
from prisam_p2p.netns.interface import Counts, NetworkError
from prisam_p2p.netns.of_hosts import NamespacesOfHosts, tunnel_number
from prisam_p2p.plan.link_properties import CLEAR, LinkState

RATES = {"a": (None, None), "b": (8.0, None), "c": (None, None)}
PLACEMENT = {"a": "h1", "b": "h2", "c": "h2"}
CUT, SLOW = LinkState(cut="reset"), LinkState(rate_mbit_s=2.5)


class Hosts:
    """Hosts that answer as `reply` says; None = not yet, and they are lost while one waits."""

    def __init__(self, reply):
        self.reply, self.told, self.lost = reply, [], set()
        self.links = RemoteLinks(PLACEMENT, self.tell, self.lost.__contains__, self.wait)
        self.network = NamespacesOfHosts(RATES)
        self.network.join(self.links, {"reno", "cubic"}, {"netem"})

    def tell(self, host, order):
        order, _ = decode_order(encode(order))
        self.told.append((host, order))
        if host not in self.lost and (answer := self.reply(host, order)):
            self.links.note(host, decode_report(encode(answer))[0])

    def wait(self, _what, missing):
        self.lost |= missing()
        assert not missing()


def answered(_host, order):
    if isinstance(order, SetLinks):
        return LinksSet(order.asked)
    return LinkCounted(order.asked, Counts(cut=3, delayed=None, reset=1))


def test_every_host_is_told_the_links_that_are_not_clear():
    hosts = Hosts(answered)
    hosts.network.apply({("a", "b"): CUT, ("b", "a"): CLEAR, ("b", "c"): SLOW})
    rows = (("a", "b", CUT), ("b", "c", SLOW))
    assert sorted(host for host, _ in hosts.told) == ["h1", "h2"]
    assert all(order == SetLinks(1, rows) for _, order in hosts.told)


def test_the_host_of_the_receiver_counts():
    hosts = Hosts(answered)
    assert hosts.network.counts(("a", "c")) == Counts(cut=3, delayed=None, reset=1)
    assert hosts.told == [("h2", CountLink(1, "a", "c"))]
    assert hosts.network.evidence(("b", "a")) == 4


def test_a_lost_host_is_not_waited_for_and_its_last_counts_stand():
    hosts = Hosts(answered)
    hosts.network.counts(("a", "b"))
    hosts.reply = lambda host, order: answered(host, order) if host == "h1" else None
    hosts.network.apply({("a", "b"): CUT})
    assert hosts.lost == {"h2"}
    assert hosts.network.counts(("a", "b")).cut == 3
    assert hosts.network.counts(("a", "c")) == Counts()


def test_an_answer_to_an_earlier_order_does_not_count():
    hosts = Hosts(lambda _host, order: LinksSet(order.asked - 1) if order.asked > 1 else None)
    hosts.links.set_links({})
    hosts.lost.clear()
    hosts.links.set_links({})
    assert hosts.lost == {"h1", "h2"}


def test_what_a_kernel_refuses_names_the_host():
    hosts = Hosts(lambda host, order: LinksSet(order.asked, "no htb" if host == "h2" else ""))
    with pytest.raises(NetworkError, match="h2: no htb"):
        hosts.network.apply({("a", "b"): SLOW})


def test_a_network_tells_what_its_hosts_made():
    hosts = Hosts(answered)
    assert hosts.network.addresses == {"a": "10.0.0.1", "b": "10.0.0.2", "c": "10.0.0.3"}
    assert (hosts.network.congestion, hosts.network.delay_by) == ("cubic, reno", "netem")
    with pytest.raises(NetworkError, match="not made yet"):
        NamespacesOfHosts(RATES).apply({})


def test_the_number_of_a_tunnel_has_24_bits():
    assert tunnel_number("ffffffff00abcdef") == 0xABCDEF
