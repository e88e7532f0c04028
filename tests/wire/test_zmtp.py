import select
import socket
import time
from contextlib import ExitStack, contextmanager

import pytest
import zmq

from prisam_p2p.wire.zmtp import (
    PING_BYTES,
    PONG_BYTES,
    frame_overhead,
    framing,
    handshake_bytes,
)

DEADLINE_S = 10


@contextmanager
def tapped(heartbeat_ms=0):
    """A DEALER and a ROUTER whose bytes pass through plain sockets here.

    Yields them with a function that forwards bytes until each side has sent so many or more.
    """
    with ExitStack() as stack:
        context = stack.enter_context(zmq.Context())
        context.linger = 0
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        router = stack.enter_context(context.socket(zmq.ROUTER))
        dealer = stack.enter_context(context.socket(zmq.DEALER))
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
    assert frame_overhead(n_bytes) == overhead


def test_a_message_is_framed_frame_by_frame():
    assert framing([14, 344]) == 2 + 9
    assert framing([255, 255, 0]) == 6


def test_the_handshake_has_as_many_bytes_as_libzmq_sends():
    shake = handshake_bytes()
    with tapped() as (dealer, router, forward):
        dealer.send(b"question")  # the first byte after the handshake is its frame's
        forward(shake + 10, shake)
        sender, question = router.recv_multipart()
        assert question == b"question"
        router.send_multipart([sender, b"answer"])
        sent, answered = forward(shake + 10, shake + 8)
        assert dealer.recv() == b"answer"
    assert shake == 107
    assert sent[shake:] == b"\x00\x08question"
    assert answered[shake:] == b"\x00\x06answer"


def test_a_heartbeat_has_as_many_bytes_as_libzmq_sends():
    shake = handshake_bytes()
    with tapped(heartbeat_ms=50) as (_, _, forward):
        sent, answered = forward(shake + PING_BYTES, shake + PONG_BYTES)
    assert sent[shake:] == b"\x04\x07\x04PING\x00\x01"  # ttl in tenths of a second
    assert answered[shake:] == b"\x04\x05\x04PONG"


def test_frames_have_as_many_bytes_as_libzmq_sends():
    shake = handshake_bytes()
    sizes = [14, 255, 256, 5000]
    total = sum(sizes) + framing(sizes)
    with tapped() as (dealer, router, forward):
        dealer.send_multipart([bytes(n) for n in sizes])
        dealer.send(b"")  # two bytes: nothing else lies between
        sent, _ = forward(shake + total + framing([0]), shake)
        assert [len(frame) for frame in router.recv_multipart()[1:]] == sizes
    assert sent[shake + total :] == b"\x00\x00"
