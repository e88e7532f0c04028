import select
import socket
import time
from contextlib import ExitStack, contextmanager

import pytest
import zmq

from prisam_p2p.wire.zmtp import CURVE, MECHANISMS, PLAIN

DEADLINE_S = 60
EACH = pytest.mark.parametrize("mechanism", MECHANISMS.values(), ids=MECHANISMS)


@contextmanager
def tapped(mechanism=PLAIN, heartbeat_ms=0):
    """A DEALER and a ROUTER whose bytes pass through plain sockets here.

    Yields them with a function that forwards bytes until each side has sent so many or more, and
    one that returns how many they have sent.
    """
    with ExitStack() as stack:
        context = stack.enter_context(zmq.Context())
        context.linger = 0
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        router = stack.enter_context(context.socket(zmq.ROUTER))
        dealer = stack.enter_context(context.socket(zmq.DEALER))
        if mechanism is CURVE:
            public, router.curve_secretkey = zmq.curve_keypair()
            router.curve_server = True
            dealer.curve_publickey, dealer.curve_secretkey = zmq.curve_keypair()
            dealer.curve_serverkey = public
        port = router.bind_to_random_port("tcp://127.0.0.1")
        if heartbeat_ms:
            dealer.set(zmq.HEARTBEAT_IVL, heartbeat_ms)
            dealer.set(zmq.HEARTBEAT_TTL, 3 * heartbeat_ms)
        dealer.connect(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        client, _ = listener.accept()
        stack.enter_context(client)
        server = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        seen = {client: b"", server: b""}

        def forward(from_client, from_server):
            deadline = time.monotonic() + DEADLINE_S
            while len(seen[client]) < from_client or len(seen[server]) < from_server:
                assert time.monotonic() < deadline, seen
                for one in select.select([client, server], [], [], DEADLINE_S)[0]:
                    data = one.recv(1 << 16)
                    seen[one] += data
                    (server if one is client else client).sendall(data)
            return seen[client], seen[server]

        yield dealer, router, forward


@pytest.mark.parametrize(("n_bytes", "overhead"), [(0, 2), (1, 2), (255, 2), (256, 9), (2**20, 9)])
def test_a_frame_has_a_short_or_a_long_head(n_bytes, overhead):
    assert PLAIN.frame_overhead(n_bytes) == overhead


@pytest.mark.parametrize(("n_bytes", "overhead"), [(0, 35), (222, 35), (223, 42), (2**20, 42)])
def test_a_box_around_a_frame_makes_its_head_longer_sooner(n_bytes, overhead):
    assert CURVE.frame_overhead(n_bytes) == overhead


def test_a_message_is_framed_frame_by_frame():
    assert PLAIN.framing([14, 344]) == 2 + 9
    assert PLAIN.framing([255, 255, 0]) == 6
    assert CURVE.framing([14, 344]) == 35 + 42


def test_handshakes_and_heartbeats_in_figures():
    assert (PLAIN.client_handshake, PLAIN.server_handshake) == (107, 107)
    assert (CURVE.client_handshake, CURVE.server_handshake) == (567, 301)
    assert (PLAIN.ping_bytes, PLAIN.pong_bytes) == (9, 7)
    assert (CURVE.ping_bytes, CURVE.pong_bytes) == (42, 40)


def test_the_first_byte_after_the_handshake_is_a_frames():
    shake = PLAIN.client_handshake
    with tapped() as (dealer, router, forward):
        dealer.send(b"question")
        forward(shake + 10, shake)
        sender, question = router.recv_multipart()
        assert question == b"question"
        router.send_multipart([sender, b"answer"])
        sent, answered = forward(shake + 10, shake + 8)
        assert dealer.recv() == b"answer"
    assert sent[shake:] == b"\x00\x08question"
    assert answered[shake:] == b"\x00\x06answer"


SIZES = [[0], [1], [222], [223], [255], [256], [14, 344], [0, 0, 222, 223, 255, 256, 5000]]


@EACH
def test_handshake_and_frames_have_as_many_bytes_as_libzmq_sends(mechanism):
    """What is sent is there byte for byte, both ways, and nothing lies between."""
    totals = [mechanism.client_handshake, mechanism.server_handshake]
    with tapped(mechanism) as (dealer, router, forward):
        for sizes in SIZES:
            dealer.send_multipart([bytes(n) for n in sizes])
            totals[0] += sum(sizes) + mechanism.framing(sizes)
            assert [len(each) for each in forward(*totals)] == totals
            sender, *frames = router.recv_multipart()
            assert [len(frame) for frame in frames] == sizes
            router.send_multipart([sender, *frames])
            totals[1] += sum(sizes) + mechanism.framing(sizes)
            assert [len(each) for each in forward(*totals)] == totals
            assert dealer.recv_multipart() == frames


@EACH
def test_a_heartbeat_has_as_many_bytes_as_libzmq_sends(mechanism):
    client, server = mechanism.client_handshake, mechanism.server_handshake
    with tapped(mechanism, heartbeat_ms=50) as (_, _, forward):
        sent, answered = forward(client + mechanism.ping_bytes, server + mechanism.pong_bytes)
    assert len(sent) == client + mechanism.ping_bytes
    assert len(answered) == server + mechanism.pong_bytes
    if mechanism is PLAIN:
        assert sent[client:] == b"\x04\x07\x04PING\x00\x01"  # ttl in tenths of a second
        assert answered[server:] == b"\x04\x05\x04PONG"
