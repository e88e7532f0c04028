"""The state of a link takes effect on that link alone, and ends with it."""

import errno
import socket
import statistics
from functools import partial

import pytest
from inside import (
    AB,
    BA,
    connected_from_here,
    connection,
    datagrams,
    measured,
    nearest,
    within,
)

from prisam_p2p.netns import link_measurements
from prisam_p2p.netns.interface import Counts
from prisam_p2p.netns.namespaces import Namespaces
from prisam_p2p.plan.link_properties import LinkState

pytestmark = pytest.mark.network

CUT = LinkState(cut="drop")


def connect_error(network):
    """Connect from a to b; return the name of the error, "" without one."""

    def attempt():
        try:
            with connection(network):
                return ""
        except OSError as error:
            return errno.errorcode[error.errno]

    return within(attempt)


def test_a_cut_stops_one_direction_only(net):
    before = net.evidence(AB)
    net.apply({AB: CUT})
    assert datagrams(net, AB, 50) == 0
    assert datagrams(net, BA, 50) == 50
    assert datagrams(net, ("a", "c"), 50) == 50
    assert net.evidence(AB) - before == 50
    net.apply({})
    assert datagrams(net, AB, 50) == 50
    assert net.evidence(AB) - before == 50


def test_two_cuts_stop_both_directions_until_each_ends(net):
    net.apply({AB: CUT, BA: CUT})
    assert (datagrams(net, AB, 50), datagrams(net, BA, 50)) == (0, 0)
    net.apply({BA: CUT})
    assert (datagrams(net, AB, 50), datagrams(net, BA, 50)) == (50, 0)


def test_a_connection_survives_a_cut(net):
    out, into = connected_from_here(net)
    with out, into:
        net.apply({AB: CUT})
        out.sendall(b"late")
        net.apply({})
        assert into.recv(10) == b"late"


def test_a_rejecting_link_refuses_connections(net):
    net.apply({AB: LinkState(cut="reject")})
    assert connect_error(net) == "ECONNREFUSED"
    assert datagrams(net, AB, 10) == 0
    net.apply({})
    assert connect_error(net) == ""


def test_a_reset_aborts_both_ends_once_and_the_link_stays_cut(net):
    before = net.counts(AB)
    out, into = connected_from_here(net)
    other_out, other_into = connected_from_here(net, ("a", "c"))
    with out, into, other_out, other_into:
        net.apply({AB: LinkState(cut="reset")})
        with pytest.raises(ConnectionResetError):
            out.recv(1)
        with pytest.raises(ConnectionAbortedError):
            into.recv(1)
        other_out.sendall(b"x")
        assert other_into.recv(1) == b"x"
    assert connect_error(net) == "ECONNREFUSED"
    assert net.counts(AB).reset - before.reset == 1
    net.apply({AB: LinkState(cut="reset")})  # the same state again resets nothing
    assert net.counts(AB).reset - before.reset == 1
    net.apply({})
    assert connect_error(net) == ""


@pytest.mark.parametrize("asked", [0.1, 0.3])
def test_loss_is_as_requested_and_counted(net, asked):
    before = net.counts(AB).lost
    net.apply({AB: LinkState(loss=asked)})
    achieved = measured(net, link_measurements.loss, 10_000)
    assert achieved == pytest.approx(asked, rel=0.2)
    assert net.counts(AB).lost - before == round(achieved * 10_000)
    assert datagrams(net, BA, 1000) == 1000


@pytest.mark.parametrize("asked", [5.0, 20.0])
def test_the_rate_of_a_link_is_as_requested(net, asked):
    net.apply({AB: LinkState(rate_mbit_s=asked)})
    rate = partial(measured, net, link_measurements.rate_mbit_s, 2.0)
    assert nearest(rate, asked, 0.15 * asked) == pytest.approx(asked, rel=0.15)
    assert measured(net, link_measurements.rate_mbit_s, 0.5, link=("a", "c")) > 3 * asked
    net.apply({})
    assert measured(net, link_measurements.rate_mbit_s, 0.5) > 3 * asked


def test_the_rates_of_a_peer_limit_all_its_links(namespaces_work):
    network = Namespaces(["a", "b", "c"], rates={"a": (10.0, None), "b": (None, 5.0)})
    try:

        def rate(link, asked):
            measure = partial(measured, network, link_measurements.rate_mbit_s, 2.0, link=link)
            return nearest(measure, asked, 0.15 * asked)

        assert rate(("a", "c"), 10) == pytest.approx(10, rel=0.15)
        assert rate(("c", "b"), 5) == pytest.approx(5, rel=0.15)
        network.apply({("a", "c"): LinkState(rate_mbit_s=4)})
        assert rate(("a", "c"), 4) == pytest.approx(4, rel=0.15)
    finally:
        network.close()


@pytest.mark.parametrize("jitter_ms", [0.0, 8.0])
def test_delay_and_jitter_are_as_requested(net, jitter_ms):
    if net.delay_by is None:
        pytest.skip("this kernel has neither netem nor NFQUEUE to delay packets with")

    def median_ms():
        times = measured(net, link_measurements.delays_ms, 100)
        assert len(times) == 100
        assert min(times) >= 29 - jitter_ms
        return statistics.median(times)

    def median_of_20_ms(link):
        return measured(net, link_measurements.median_delay_ms, 20, link=link)

    net.apply({AB: LinkState(delay_ms=30, jitter_ms=jitter_ms)})
    asked, off_by = 30 + jitter_ms / 4, 2 + jitter_ms / 2
    assert nearest(median_ms, asked, off_by) == pytest.approx(asked, abs=off_by)
    assert nearest(partial(median_of_20_ms, BA), 0, 5) <= 5
    net.apply({})
    assert nearest(partial(median_of_20_ms, AB), 0, 5) <= 5


def test_the_end_of_a_delay_releases_held_packets(net):
    if net.delay_by != "nfqueue":
        pytest.skip("the kernel's netem delays packets here")
    net.apply({AB: LinkState(delay_ms=3_600_000)})
    before = net.counts(AB).delayed

    def send():
        out, into = link_measurements.bound_sockets(net, *AB, socket.SOCK_DGRAM)
        out.sendto(b"held", into.getsockname())
        while net.counts(AB).delayed == before:
            pass
        net.apply({})
        return into.recv(10).decode()

    assert within(send) == "held"


def test_applying_a_state_again_changes_nothing_and_clearing_one_link_leaves_the_others(net):
    wanted = {AB: CUT, BA: LinkState(loss=1.0), ("a", "c"): LinkState(rate_mbit_s=2)}
    for _ in range(3):
        net.apply(wanted)
    assert (datagrams(net, AB, 20), datagrams(net, BA, 20)) == (0, 0)
    del wanted[AB]
    net.apply(wanted)
    assert (datagrams(net, AB, 20), datagrams(net, BA, 20)) == (20, 0)
    assert measured(net, link_measurements.rate_mbit_s, 1.0, link=("a", "c")) < 4


def test_a_dropped_packet_counts_once(net):
    before = net.counts(AB)
    net.apply({AB: LinkState(cut="drop", loss=1.0)})
    datagrams(net, AB, 10)
    net.apply({AB: LinkState(loss=1.0, delay_ms=1.0 if net.delay_by else 0.0)})
    datagrams(net, AB, 10)
    after = net.counts(AB)
    assert (after.cut - before.cut, after.lost - before.lost) == (10, 10)
    assert after.delayed in (None, before.delayed)


def test_evidence_is_the_sum_of_dropped_packets_and_destroyed_connections():
    assert Counts(cut=1, lost=2, delayed=40, reset=4).evidence == 7
