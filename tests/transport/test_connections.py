import contextlib
import socket
import sys
from dataclasses import replace

import pytest

from prisam_p2p.measure import records
from prisam_p2p.system import sock_diag
from prisam_p2p.transport.connections import Connections
from prisam_p2p.wire.messages import Channel

HEARTBEAT_MS = 1500


@pytest.fixture
def tcp():
    """Return a function that opens a connection: (the client's socket, the server's)."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def open_one():
            here = stack.enter_context(socket.create_connection(listening.getsockname()))
            there, _ = listening.accept()
            return here, stack.enter_context(there)

        yield open_one


@pytest.fixture
def written():
    return []


@pytest.fixture
def connections(written):
    return Connections(written.append, HEARTBEAT_MS)


def name(endpoint):
    return "{}:{}".format(*endpoint)


def connect(connections, client, neighbor="b", channel=Channel.CONTROL):
    """Enter `client` as a connection that our DEALER opened."""
    return connections.connected(client.fileno(), client.getpeername(), neighbor, channel)


def accept(connections, server):
    """Enter `server` as a connection to our ROUTER."""
    connections.router = name(server.getsockname())
    return connections.accepted(server.fileno())


def test_both_ends_write_the_same_endpoints(tcp, connections, written):
    client, server = tcp()
    connect(connections, client, "b", Channel.BULK)
    accepted = accept(connections, server)
    assert len(written) == 1  # whose the other is, is not known yet
    connections.belongs(accepted, "a", Channel.BULK)
    ends = (name(client.getsockname()), name(server.getsockname()))
    assert [replace(each, cookie=0) for each in written] == [
        records.Connection(0, "client", *ends, "b", "bulk", 0, "plain"),
        records.Connection(1, "server", *ends, "a", "bulk", 0, "plain"),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux numbers its sockets")
def test_each_end_is_known_by_the_number_that_the_kernel_gave_its_socket(tcp, connections, written):
    client, server = tcp()
    connect(connections, client)
    connections.belongs(accept(connections, server), "a", Channel.CONTROL)
    cookies = {(name(each.ends[0]), name(each.ends[1])): each.cookie for each in sock_diag.dump()}
    there = (written[0].client, written[0].server)
    assert [each.cookie for each in written] == [cookies[there], cookies[there[::-1]]]
    assert 0 not in cookies.values()


def test_only_control_connections_have_heartbeats(tcp, connections, written):
    client, _ = tcp()
    connect(connections, client)
    assert (written[0].channel, written[0].heartbeat_ms) == ("control", HEARTBEAT_MS)


def test_a_second_hello_writes_nothing_new(tcp, connections, written):
    accepted = accept(connections, tcp()[1])
    for _ in range(2):
        connections.belongs(accepted, "a", Channel.CONTROL)
    assert len(written) == 1


@pytest.mark.parametrize("side", ["client", "server"])
def test_endpoints_of_a_connection_that_has_ended_are_unknown(tcp, connections, written, side):
    client, server = tcp()
    connections.router = name(server.getsockname())
    if side == "client":
        to = client.getpeername()
        ended = connections.connected(client.fileno(), to, "b", Channel.BULK, lambda: True)
    else:
        ended = connections.accepted(server.fileno(), lambda: True)
    assert (ended.client, ended.server, ended.cookie) == ("?", "?", 0)


def test_an_unheard_connection_is_kept_when_its_descriptor_is_reused(tcp, connections):
    server = tcp()[1]
    silent = accept(connections, server)
    connections.closed(server.fileno())
    assert connections.unheard(server.fileno()) is None  # it was the first
    heard = accept(connections, server)
    assert connections.unheard(server.fileno()) is silent
    heard.spoke = True
    accept(connections, server)
    assert connections.unheard(server.fileno()) is None


def test_a_connection_is_found_by_its_descriptor_until_that_is_reused(tcp, connections):
    one, other = tcp()[1], tcp()[1]
    first = accept(connections, one)
    assert connections.at(one.fileno()) is first
    connections.closed(one.fileno())
    assert connections.at(one.fileno()) is first  # a message may be read after it
    assert first.gone
    accept(connections, other)
    second = accept(connections, one)
    assert connections.at(one.fileno()) is second
    assert not second.gone


def test_a_stranger_is_written_once_it_is_gone_or_at_the_end(tcp, connections, written):
    pairs = [tcp() for _ in range(3)]
    strangers = [accept(connections, there) for _, there in pairs]
    connections.belongs(strangers[2], "a", Channel.CONTROL)
    for _ in range(2):
        connections.closed(pairs[0][1].fileno())
    assert [r.connection for r in written] == [2, 0]
    connections.write_strangers()
    assert [(r.connection, r.neighbor) for r in written] == [(2, "a"), (0, ""), (1, "")]


def test_a_connection_that_is_closed_already_has_no_endpoints(tcp, connections, written):
    client, server = tcp()
    (ours, to), theirs = (client.fileno(), client.getpeername()), server.fileno()
    for each in (client, server):
        each.close()
    connections.connected(ours, to, "b", Channel.CONTROL)
    connections.belongs(connections.accepted(theirs), "b", Channel.CONTROL)
    assert [(r.client, r.server) for r in written] == 2 * [("?", "?")]


def test_a_reused_descriptor_tells_no_endpoints(tcp, connections, written):
    """Two monitors report: one that reports late would look at another connection."""
    client, server = tcp()
    accepted = accept(connections, server)
    connections.connected(server.fileno(), client.getpeername(), "b", Channel.BULK)
    assert connections.at(server.fileno()) is accepted
    connections.belongs(connections.accepted(client.fileno()), "c", Channel.BULK)
    assert [(r.client, r.server) for r in written] == 2 * [("?", "?")]


def test_looking_at_a_connection_does_not_keep_it_open(tcp, connections):
    client, server = tcp()
    connect(connections, client)
    client.close()
    server.settimeout(10)
    assert server.recv(1) == b""
