"""The line between launcher and agents: who is let in, what is counted, what ends it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
import zmq

from prisam_p2p.transport.curve_line import (
    LARGEST_FRAME,
    NO_ADDRESS,
    LineClient,
    LineServer,
    Stranger,
)

_DEADLINE_S = 60.0


@pytest.fixture
def server() -> Iterator[LineServer]:
    with closing(LineServer("127.0.0.1", ["h1"])) as server:
        yield server


@pytest.fixture
def server_of_two() -> Iterator[LineServer]:
    with closing(LineServer("127.0.0.1", ["h1", "h2"])) as server:
        yield server


@pytest.fixture
def agent() -> Iterator[LineClient]:
    with closing(LineClient()) as client:
        yield client


def _connect(client: LineClient, server: LineServer, key: str = "") -> None:
    client.connect("127.0.0.1", server.port, key or server.public_key)


def _until(done: Callable[[], object], *lines: LineClient | LineServer) -> None:
    """Wait until `done`, while `lines` are served."""
    deadline = time.monotonic() + _DEADLINE_S
    while not done():
        assert time.monotonic() < deadline, "not done in time"
        for line in lines:
            line.wait(0.01)


def _heard(server: LineServer, *clients: LineClient) -> tuple[str, list[bytes]]:
    heard: list[tuple[str, list[bytes]]] = []

    def one() -> bool:
        heard.extend(filter(None, [server.receive()]))
        for client in clients:
            client.receive()
        return bool(heard)

    _until(one, server)
    return heard[0]


def test_messages_pass_both_ways_and_are_counted(server: LineServer, agent: LineClient) -> None:
    server.admit("h1", agent.public_key)
    _connect(agent, server)
    assert agent.send([b"up", b"12345"])
    assert _heard(server, agent) == ("h1", [b"up", b"12345"])
    assert server.send("h1", [b"go", b""])
    got: list[list[bytes]] = []
    _until(lambda: got.extend(filter(None, [agent.receive()])) or got, agent)
    assert got == [[b"go", b""]]
    assert (server.bytes["h1"].received, server.bytes["h1"].sent) == (7, 2)
    assert (agent.bytes.sent, agent.bytes.received) == (7, 2)


def test_the_key_names_the_host_and_not_the_message(
    server_of_two: LineServer, agent: LineClient
) -> None:
    with closing(LineClient()) as other:
        server = server_of_two
        server.admit("h1", agent.public_key)
        server.admit("h2", other.public_key)
        _connect(other, server)
        other.send([b"I am h1", b""])
        assert _heard(server, other)[0] == "h2"


def test_an_agent_may_come_before_its_key_is_known(server: LineServer, agent: LineClient) -> None:
    _connect(agent, server)
    agent.send([b"up", b""])
    deadline = time.monotonic() + 0.2
    while time.monotonic() < deadline:
        assert server.receive() is None
        server.wait(0.05)
    server.admit("h1", agent.public_key)
    assert _heard(server, agent)[0] == "h1"
    assert not server.strangers


def test_a_stranger_is_counted_and_never_heard(server: LineServer, agent: LineClient) -> None:
    with closing(LineClient()) as stranger:
        _connect(stranger, server)
        stranger.send([b"let me in", b""])
        server.admit("h1", agent.public_key)
        _until(lambda: server.receive() or server.strangers, server)
        unknown = Stranger("127.0.0.1", "unknown-key", "a key that is no agent's")
        assert server.strangers == {unknown: 1}
        _connect(agent, server)
        agent.send([b"up", b""])
        assert _heard(server, agent) == ("h1", [b"up", b""])
        assert not stranger.is_up


def test_a_client_without_keys_is_counted_and_not_heard(
    server: LineServer, agent: LineClient
) -> None:
    server.admit("h1", agent.public_key)
    _connect(agent, server)
    agent.send([b"hello", b""])
    assert _heard(server, agent) == ("h1", [b"hello", b""])
    with zmq.Context() as context:
        for _ in range(20):  # one that sees first that the line is encrypted hangs up by itself
            with context.socket(zmq.DEALER) as plain:
                plain.set(zmq.LINGER, 0)
                plain.connect(f"tcp://127.0.0.1:{server.port}")
                plain.send_multipart([b"up", b""])
                ends_s = time.monotonic() + 1.0
                while not server.strangers and time.monotonic() < ends_s:
                    assert server.receive() is None
                    server.wait(0.01)
            if server.strangers:
                break
    (stranger,) = server.strangers
    assert (stranger.address, stranger.verdict) == (NO_ADDRESS, "unencrypted")


def test_an_agent_talks_to_no_other_launcher(server: LineServer, agent: LineClient) -> None:
    with closing(LineServer("127.0.0.1", ["h1"])) as impostor:
        impostor.admit("h1", agent.public_key)
        _connect(agent, impostor, server.public_key)
        agent.send([b"secret", b""])
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            assert impostor.receive() is None
            impostor.wait(0.05)
        assert not agent.is_up


def test_an_agent_notices_that_its_launcher_is_gone(agent: LineClient) -> None:
    server = LineServer("127.0.0.1", ["h1"])
    server.admit("h1", agent.public_key)
    _connect(agent, server)
    agent.send([b"up", b""])
    _heard(server, agent)
    assert not agent.ended
    server.close()
    _until(lambda: agent.receive() or agent.ended, agent)


def test_a_host_that_was_shut_out_is_not_heard(
    server_of_two: LineServer, agent: LineClient
) -> None:
    with closing(LineClient()) as other:
        server = server_of_two
        server.admit("h1", agent.public_key)
        server.admit("h2", other.public_key)
        for client in (agent, other):
            _connect(client, server)
        agent.send([b"up", b""])
        _heard(server, agent)
        server.shut_out("h1")
        agent.send([b"still here", b""])
        other.send([b"up", b""])
        assert _heard(server, other) == ("h2", [b"up", b""])
        assert server.receive() is None


def test_a_line_holds_few_messages(server: LineServer, agent: LineClient) -> None:
    """The other end reads nothing: sending stops long before memory is short."""
    server.admit("h1", agent.public_key)
    _connect(agent, server)
    agent.send([b"up", b""])
    _heard(server, agent)
    part = bytes(1 << 20)
    sent = 0
    while agent.send([b"file", part]) and sent < 1000:
        sent += 1
    assert 0 < sent < 300
    _heard(server, agent)  # and it goes on when that reads again


def test_what_is_longer_than_the_longest_frame_ends_the_line(
    server: LineServer, agent: LineClient
) -> None:
    server.admit("h1", agent.public_key)
    _connect(agent, server)
    agent.send([b"up", b""])
    _heard(server, agent)
    agent.send([b"", bytes(LARGEST_FRAME + 1)])
    _until(lambda: server.receive() or agent.receive() or agent.ended, server, agent)


def test_a_selector_can_wait_for_a_line_beside_descriptors(
    server: LineServer, agent: LineClient
) -> None:
    server.admit("h1", agent.public_key)
    _connect(agent, server)
    agent.send([b"up", b""])
    assert _heard(server, agent)[0] == "h1"
    assert server.receive() is None
    reading, writing = os.pipe()
    try:
        assert server.wait(0, [reading]) == set()
        os.write(writing, b"x")
        assert server.wait(_DEADLINE_S, [reading]) == {reading}
    finally:
        os.close(reading)
        os.close(writing)
