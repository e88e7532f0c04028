"""Network namespaces: connections between peers, fixed settings, and clean-up."""

import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from inside import AB, DEADLINE_S, connected_from_here, process, users_of, watched, within

from prisam_p2p.netns.interface import NetworkError
from prisam_p2p.netns.namespaces import Namespaces
from prisam_p2p.system import sock_diag
from prisam_p2p.system.isolated import Failed
from prisam_p2p.system.setns import enter

pytestmark = pytest.mark.network

SERVER = """
import socket
server = socket.create_server(("{address}", 0))
print(server.getsockname()[1], flush=True)
one, where = server.accept()
print(where[0], one.recv(100).decode(), flush=True)
"""
CLIENT = """
import socket
socket.create_connection(("{address}", {port}), 10).sendall(b"hello")
"""
LAUNCHER = """
import json, os, signal
from prisam_p2p.system.setns import enter
from prisam_p2p.plan.link_properties import LinkState
from prisam_p2p.netns.namespaces import Namespaces
from prisam_p2p.system.process_limits import die_with_parent
network = Namespaces(["a", "b"], own_user=True)
if network.delay_by:
    network.apply({("a", "b"): LinkState(delay_ms=1)})  # starts the delay process, if any
if os.fork() == 0:
    die_with_parent()
    enter(**network.entry("a"))
    print(json.dumps([os.stat(network.entry(p)["net_fd"]).st_ino for p in "ab"]), flush=True)
signal.pause()
"""


def talk(network, client, server):
    """Send a line from one process to another; return the words that the server prints."""
    with process(network, server, SERVER.format(address=network.addresses[server])) as listening:
        port = listening.stdout.readline().strip()
        code = CLIENT.format(address=network.addresses[server], port=port)
        with process(network, client, code) as calling:
            assert calling.wait(DEADLINE_S) == 0
        return listening.stdout.readline().split()


@pytest.mark.parametrize("own_user", [True, False])
def test_processes_in_two_namespaces_can_connect(namespaces_work, own_user):
    network = Namespaces(["a", "b"], own_user=own_user)
    try:
        assert talk(network, "a", "b") == [network.addresses["a"], "hello"]
        assert talk(network, "b", "a") == [network.addresses["b"], "hello"]
    finally:
        network.close()


def test_a_network_of_twenty_peers_can_be_set_up(namespaces_work):
    peers = [f"p{i:02d}" for i in range(20)]
    network = Namespaces(peers)
    try:
        assert len({network.entry(peer)["net_fd"] for peer in peers}) == 20
        assert len(set(network.addresses.values())) == 20
        assert talk(network, "p00", "p19") == [network.addresses["p00"], "hello"]
    finally:
        network.close()


def test_a_namespace_has_fixed_tcp_settings(net):
    def look():
        enter(**net.entry("a"))
        ipv4, ipv6 = Path("/proc/sys/net/ipv4"), Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
        with socket.socket() as one:
            offloads = [_ethtool(one, get) for get in (0x1E, 0x23, 0x2B)]  # TSO, GSO, GRO
            mtu = struct.unpack_from("i", _ioctl(one, 0x8921, bytes(16)), 16)[0]
        return {
            "congestion": (ipv4 / "tcp_congestion_control").read_text().strip(),
            "ipv6": not ipv6.exists() or ipv6.read_text().strip() != "1",
            "offloads": offloads,
            "mtu": mtu,
            "threads": threading.active_count(),
        }

    assert net.congestion in ("cubic", "reno")
    assert within(look) == {
        "congestion": net.congestion,
        "ipv6": False,
        "offloads": [0, 0, 0],
        "mtu": 1500,
        "threads": 1,
    }


def _ioctl(one, number, rest):
    return fcntl.ioctl(one, number, struct.pack("16s", b"eth0") + rest)


def _ethtool(one, get):
    import ctypes

    value = (ctypes.c_uint32 * 2)(get, 7)
    _ioctl(one, 0x8946, struct.pack("P16x", ctypes.addressof(value)))
    return value[1]


def test_a_process_with_two_threads_cannot_enter(net):
    def try_it():
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        enter(**net.entry("a"))

    with pytest.raises(Failed, match="Invalid argument"):
        within(try_it)


def test_an_unknown_congestion_control_is_refused(namespaces_work):
    with pytest.raises(NetworkError, match="no-such"):
        Namespaces(["a", "b"], congestions=["no-such"])


def test_sock_diag_reports_connections_in_every_namespace(net):
    out, into = connected_from_here(net)
    with out, into:
        ends = (out.getsockname(), out.getpeername())
        out.sendall(bytes(1000))
        dumped = [
            each.ends
            for one in net.dump_sockets()
            for each in sock_diag.sockets(_dump(one))
            if each.info.sent + each.info.received
        ]
        assert set(dumped) == {ends, ends[::-1]}
    told, watching = {}, net.watch_sockets()
    until = time.monotonic() + DEADLINE_S
    while len(told) < 2 and (rest_s := until - time.monotonic()) > 0:
        for one in select.select(watching, [], [], rest_s)[0]:
            for each in sock_diag.sockets(one.recv(sock_diag.LARGEST_DATAGRAM)):
                if each.ends in (ends, ends[::-1]):
                    told[watching.index(one)] = each.info
    assert {place: info.sent for place, info in told.items()} == {0: 1000, 1: 0}


def _dump(one):
    one.sendto(sock_diag.dump_request(), (0, 0))
    return one.recv(sock_diag.LARGEST_DATAGRAM)


def test_close_leaves_no_interface_descriptor_or_process(namespaces_work):
    before = sorted(os.listdir("/sys/class/net")), set(os.listdir("/proc/self/fd"))
    network = Namespaces(["a", "b"])
    namespaces = [os.stat(network.entry(peer)["net_fd"]).st_ino for peer in "ab"]
    assert users_of(namespaces)
    network.close()
    assert not users_of(namespaces)
    assert (sorted(os.listdir("/sys/class/net")), set(os.listdir("/proc/self/fd"))) == before


def test_a_forked_process_does_not_keep_the_network(namespaces_work):
    network = Namespaces(["a", "b"])
    forked = os.fork()
    if forked == 0:
        signal.pause()
    began = time.monotonic()
    try:
        network.close()
    finally:
        os.kill(forked, signal.SIGKILL)
        os.waitpid(forked, 0)
    assert time.monotonic() - began < DEADLINE_S


def test_a_killed_launcher_leaves_no_process(namespaces_work):
    with subprocess.Popen([sys.executable, "-c", LAUNCHER], stdout=subprocess.PIPE) as launcher:
        namespaces = json.loads(launcher.stdout.readline())
        users = users_of(namespaces)
        assert len(users) >= 3  # launcher, holder, peer
        with watched(users) as wait_for_all:
            launcher.send_signal(signal.SIGKILL)
            assert wait_for_all() == set()
        launcher.wait(DEADLINE_S)
    assert not users_of(namespaces)


def test_a_dead_holder_is_an_error_and_not_a_hang(namespaces_work):
    network = Namespaces(["a", "b"])
    namespaces = [os.stat(network.entry("a")["net_fd"]).st_ino]
    (holder,) = users_of(namespaces) - {os.getpid()}
    os.kill(holder, signal.SIGKILL)
    try:
        with pytest.raises(NetworkError, match="ended"):
            network.counts(AB)
    finally:
        network.close()
