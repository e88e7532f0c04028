"""Several peers on one address, as on a host of its own: what an address alone no longer tells."""

import contextlib
import socket

import zmq
from tiny_layouts import same
from transports import DEADLINE_S, WEIGHTS, greeting, mask_of, wait_for_connections

from prisam_p2p.control.messages import RosterEntry
from prisam_p2p.transport import events
from prisam_p2p.transport.connections import TcpConnection
from prisam_p2p.transport.context import LocalPeer
from prisam_p2p.transport.zap import make_keys
from prisam_p2p.wire.codec import encode
from prisam_p2p.wire.messages import Welcome

H1, H2 = "127.1.9.1", "127.1.9.2"
HOSTS = {"a": H1, "b": H1, "c": H2, "d": H2}
KEYS = make_keys({p: [q for q in HOSTS if q != p] for p in HOSTS})


def end(net, peer, neighbors, **more):
    return net.end(peer, neighbors, keys=KEYS[peer], address=HOSTS[peer], **more)


def network(net, peers="abcd"):
    """Return ends of one address a host, each connected to all."""
    ends = [end(net, p, [q for q in peers if q != p]) for p in peers]
    for each in ends:
        each.transport.connect({e.peer: e.endpoint for e in ends if e is not each})
    for each in ends:
        for other in [e.peer for e in ends if e is not each]:
            each.wait(events.Welcomed, neighbor=other)
            each.wait(events.Joined, neighbor=other)
    return ends


def dealer(net, keys, to, of="a"):
    """Return a DEALER with these keys at H2."""
    raw = net.raw()
    raw.socket.reconnect_ivl = -1
    raw.socket.curve_publickey = keys.public.encode()
    raw.socket.curve_secretkey = keys.own_secret().encode()
    raw.socket.curve_serverkey = KEYS[of].public.encode()
    raw.socket.connect(f"tcp://{H2}:0;{to.address}:{to.transport.port}")
    return raw


def test_peers_of_two_hosts_hear_each_other_and_count_the_same(net):
    ends = network(net)
    for each in ends:
        each.announce(0, mask=mask_of(0, seed=ord(each.peer)))
    for each in ends:
        others = [e.peer for e in ends if e is not each]
        for other in others:
            heard = each.wait(events.MaskHeard, neighbor=other)
            assert heard.announced == mask_of(0, seed=ord(other))
        each.transport.pull(others, 0)
        for _ in others:
            assert same(each.wait(events.PullDone).pull.weights(), WEIGHTS)
    for each in ends:
        each.transport.close()
    for each in ends:
        for other in [e for e in ends if e is not each]:
            assert each.traffic("in", other.peer) == other.traffic("out", each.peer)
        assert each.heard_of(events.MessageRejected) == []
    pairs = [{(c.client, c.server) for c in e.connections} for e in ends]
    assert len(set.union(*pairs)) == sum(map(len, pairs)) / 2  # both ends name each alike


def test_where_a_router_listens_no_outgoing_connection_gets_a_port(net):
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        lowest = int(file.read().split()[0])
    ports = [end(net, p, []).transport.port for p in "ab"]
    assert ports[0] != ports[1]
    assert all(10_000 <= port < lowest for port in ports)


def test_outgoing_connections_bind_no_address_that_peers_share():
    """On loopback they must: the system would choose 127.0.0.1."""

    def source(address, **more):
        return LocalPeer(None, address, [], **more).source

    assert source("10.0.0.1", shared_address=True) is None
    assert source("10.0.0.1") == "10.0.0.1"
    assert source("127.0.0.9", shared_address=True) == "127.0.0.9"


def test_a_peer_whose_port_is_taken_when_it_comes_back_listens_at_another(net):
    a, b = network(net, "ac")
    b.transport.close()
    a.wait(events.Left, neighbor="c")
    with socket.create_server(b.endpoint):
        later = end(net, "c", ["a"], incarnation=1, port=b.transport.port)
        assert later.transport.port not in (0, b.transport.port)
        a.transport.update_neighbor(RosterEntry("c", *later.endpoint, 1, KEYS["c"].public))
        later.transport.connect({"a": a.endpoint})
        a.wait(events.Welcomed, neighbor="c")
        assert a.wait(events.Joined, neighbor="c").incarnation == 1


def test_a_peer_comes_back_to_its_port_where_it_is_free(net):
    b = end(net, "b", [])
    port = b.transport.port
    b.transport.close()
    assert end(net, "b", [], incarnation=1, port=port).transport.port == port


def test_a_stranger_at_a_neighbors_address_is_not_taken_for_it(net):
    """c is the only neighbor of a at H2: where addresses are not shared, this would name c."""
    a = end(net, "a", ["c"])
    a.transport.connect({"c": (H2, 9)})
    stranger = dealer(net, make_keys({"c": ""})["c"], a)
    with contextlib.suppress(zmq.Again):  # it takes nothing more once it was rejected
        stranger.socket.send_multipart(encode(greeting("c")), zmq.DONTWAIT)
    rejected = a.wait(events.MessageRejected)
    assert (rejected.sender, rejected.verdict) == (H2, "unknown-key")
    stranger.socket.close()
    wait_for_connections(a, 0)
    with socket.create_connection(a.endpoint, source_address=(H2, 0)) as silent:
        silent.settimeout(DEADLINE_S)
        assert silent.recv(1)
    rejected = a.wait(events.MessageRejected)
    assert rejected.verdict == "silent"
    assert rejected.sender in (H2, "?")  # gone before its address could be read
    c = dealer(net, KEYS["c"], a)
    c.send(greeting("c"))
    assert c.answer() == Welcome(0)


class LateFrame(bytes):
    """A frame whose connection was let in when `n` had been numbered."""

    n = 0

    def get(self, _name):
        return str(self.n)


def test_a_message_that_is_read_late_counts_for_the_connection_that_it_came_by(net):
    """The connection is gone, and another neighbor's has its descriptor, when it is read."""
    router = end(net, "a", ["c", "d"]).transport._server._router
    ours = router._connections
    gone = ours._unheard[5] = TcpConnection(3, "server", f"{H2}:1", f"{H1}:9", gone=True)
    now = ours._accepted[5] = TcpConnection(6, "server", f"{H2}:2", f"{H1}:9")
    for n, connection in ((4, gone), (6, gone), (7, now), (9, now)):
        frame = LateFrame(b"any")
        frame.n = n
        assert router._came_by(5, [frame]) is connection


def test_a_message_says_how_many_connections_there_were_when_its_own_was_let_in(net):
    a = end(net, "a", ["c", "d"])
    a.transport.connect({"c": (H2, 9), "d": (H2, 10)})
    seen, came_by = [], a.transport._server._router._came_by

    def see(descriptor, frames):
        found = came_by(descriptor, frames)
        seen.append((found.number, a.transport._server._router._gate.numbered_before(frames[0])))
        return found

    a.transport._server._router._came_by = see
    for peer in "cd":
        raw = dealer(net, KEYS[peer], a)
        raw.send(greeting(peer))
        assert raw.answer() == Welcome(0)
    assert len(seen) == 2
    assert all(number < numbered for number, numbered in seen)
    assert seen[0][1] <= seen[1][0]
