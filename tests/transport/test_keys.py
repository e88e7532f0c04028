"""Keys: how they travel, and whom a live transport with keys lets in."""

import contextlib
import re
import socket
import time

import psutil
import pytest
import zmq
from hostile import OPEN, zmtp_frame, zmtp_greeting
from pydantic import ValidationError
from spec_of_a import spec_of_a
from tiny_layouts import same
from transports import DEADLINE_S, WEIGHTS, greeting, mask_of, whole

from prisam_p2p.control.spec import Incarnation, ProcessInput
from prisam_p2p.processes.sampling import open_board
from prisam_p2p.processes.spawn import SpawnEngine
from prisam_p2p.transport import events
from prisam_p2p.transport.zap import make_keys
from prisam_p2p.wire.codec import encode
from prisam_p2p.wire.keys import Keys, keys_without_secrets
from prisam_p2p.wire.messages import Channel, Refuse, WeightsRequest, Welcome

KEYS = make_keys({"a": "bc", "b": "ac", "c": "ab"})


def test_every_peer_has_a_pair_of_its_own_and_its_neighbors_public_keys():
    assert len({k.public for k in KEYS.values()} | {k.secret for k in KEYS.values()}) == 6
    assert KEYS["a"].neighbors == {"b": KEYS["b"].public, "c": KEYS["c"].public}
    assert make_keys({"a": "b", "b": "a"})["a"].public != KEYS["a"].public  # each run its own


def test_a_secret_key_is_shown_to_the_peer_only():
    mine = KEYS["a"]
    secret = mine.secret.get_secret_value()
    assert secret not in repr(mine) + str(mine) + str(mine.model_dump())
    there = Keys.model_validate_json(mine.model_dump_json())
    assert there.secret.get_secret_value() == secret
    with pytest.raises(ValidationError) as wrong:
        Keys.model_validate({"public": [secret], "secret": [secret], "neighbors": secret})
    assert secret not in str(wrong.value)


def test_keys_without_their_secret_open_no_connection_and_start_no_process(net, tmp_path):
    """Where peers live on several hosts, the launcher has no others."""
    public = {peer: keys.public for peer, keys in KEYS.items()}
    known = keys_without_secrets(public, {"a": "bc", "b": "ac", "c": "ab"})["a"]
    assert (known.public, known.neighbors) == (KEYS["a"].public, KEYS["a"].neighbors)
    assert Keys.model_validate_json(known.model_dump_json()) == known
    missing = f"the secret key of {re.escape(known.public)} is not here: its host has it"
    with pytest.raises(ValueError, match=missing):
        net.end("a", ["b", "c"], keys=known)
    with pytest.raises(ValidationError, match="is not here"):
        ProcessInput(spec=spec_of_a(tmp_path, keys=known), incarnation=Incarnation())
    whole = known.model_copy(update={"secret": KEYS["a"].secret})
    assert whole == KEYS["a"]


# -- at the gate ---------------------------------------------------------------------------------


@pytest.fixture
def a(net):
    """A peer with keys whose neighbors are not there."""
    a = net.end("a", ["b", "c"], keys=KEYS["a"])
    a.transport.connect({"b": ("127.1.0.2", 9), "c": ("127.1.0.3", 9)})
    return a


def client(net, a, keys, server=KEYS["a"].public):
    """Return a DEALER with these keys."""
    raw = net.raw()
    raw.socket.reconnect_ivl = -1  # each comes once
    raw.socket.curve_publickey = keys.public.encode()
    raw.socket.curve_secretkey = keys.secret.get_secret_value().encode()
    raw.socket.curve_serverkey = server.encode()
    raw.connect(a)
    return raw


def offer(raw, message):
    """Send what is not to arrive; ZeroMQ takes nothing more once it was rejected."""
    with contextlib.suppress(zmq.Again):
        raw.socket.send_multipart(encode(message), zmq.DONTWAIT)


def serves(a, b):
    """Assert that a greets its neighbor b as ever."""
    b.send(greeting("b"))
    assert b.answer() == Welcome(0)
    assert b.socket.poll(0) == 0
    sent = a.announce(0)
    assert b.answer() == whole(sent)


SOMEBODY = {"127.0.0.1", "?"}
"""A stranger; "?" if it was gone before its address could be read."""


def only_rejected(a, senders, verdict):
    """Assert that just this was rejected, and return why."""
    rejected = a.wait(events.MessageRejected)
    assert (rejected.sender in senders, rejected.verdict) == (True, verdict), rejected
    assert a.heard_of((events.MessageRejected, events.Joined)) == []
    return rejected.reason


def test_neighbors_with_keys_exchange_masks_and_weights(net):
    a, b = (net.end(p, [q], keys=KEYS[p]) for p, q in ("ab", "ba"))
    a.transport.connect({"b": b.endpoint})
    b.transport.connect({"a": a.endpoint})
    for end in (a, b):
        end.wait(events.Welcomed)
        end.wait(events.Joined)
    b.announce(0)
    assert a.wait(events.MaskHeard) == events.MaskHeard("b", mask_of(0))
    a.transport.pull(["b"], 0)
    assert same(a.wait(events.PullDone).pull.weights(), WEIGHTS)
    for end in (a, b):
        end.transport.close()
        assert {c.security for c in end.connections} == {"curve"}
    assert a.traffic("in", "b") == b.traffic("out", "a")
    assert a.heard_of(events.MessageRejected) == b.heard_of(events.MessageRejected) == []


def test_a_frame_of_the_largest_size_is_read_in_its_box(net, a):
    b = client(net, a, KEYS["b"])
    b.send(greeting("b"))
    assert b.answer() == Welcome(0)
    b.send(bytes(1024))
    assert a.wait(events.MessageRejected).verdict == "malformed"
    b.send(bytes(1025))
    assert a.wait(events.Left) == events.Left("b", "connection closed")


def test_a_plain_text_client_gets_nothing_and_is_counted(net, a):
    with socket.create_connection(a.endpoint, timeout=DEADLINE_S) as raw:
        raw.sendall(OPEN + zmtp_frame(encode(greeting("b"))[0]))
        got = b""
        with contextlib.suppress(ConnectionError):
            while more := raw.recv(4096):
                got += more
    assert only_rejected(a, SOMEBODY, "unencrypted") == "it does not speak CURVE"
    assert len(got) <= 64  # ZMTP's greeting
    serves(a, client(net, a, KEYS["b"]))


def test_a_plain_text_dealer_gets_nothing(net, a):
    raw = net.raw()
    raw.socket.reconnect_ivl = -1
    raw.connect(a)
    offer(raw, greeting("b"))
    rejected = a.wait(events.MessageRejected)
    assert rejected.verdict in ("unencrypted", "silent")  # or it saw first that we do not fit
    assert not raw.socket.poll(100)
    serves(a, client(net, a, KEYS["b"]))


def test_a_stranger_with_a_key_of_its_own_gets_nothing_and_is_counted(net, a):
    stranger = client(net, a, make_keys({"b": ""})["b"])
    offer(stranger, greeting("b"))
    assert only_rejected(a, SOMEBODY, "unknown-key") == "a key that is no neighbor's"
    assert not stranger.socket.poll(100)
    stranger.socket.close()
    serves(a, client(net, a, KEYS["b"]))
    assert a.heard_of(events.MessageRejected) == []  # its end is not counted once more


def test_a_public_key_without_the_secret_one_opens_nothing(net, a):
    """Public keys are no secret: a stranger may show b's."""
    thief = make_keys({"b": ""})["b"].model_copy(update={"public": KEYS["b"].public})
    raw = client(net, a, thief)
    offer(raw, greeting("b"))
    only_rejected(a, SOMEBODY, "wrong-key")
    assert not raw.socket.poll(100)


def test_a_client_that_expects_another_server_is_counted(net, a):
    raw = client(net, a, KEYS["b"], server=KEYS["c"].public)
    offer(raw, greeting("b"))
    only_rejected(a, SOMEBODY, "wrong-key")


@pytest.mark.parametrize("channel", Channel)
def test_a_neighbor_cannot_speak_in_the_name_of_another(net, a, channel):
    c = client(net, a, KEYS["c"])
    c.send(greeting("b", channel, incarnation=7))
    assert c.answer() == Refuse("a name that is not this key's")
    assert only_rejected(a, {"c"}, "spoofed") == "c's key, and the name of b"
    serves(a, client(net, a, KEYS["b"]))
    c.send(WeightsRequest(0))
    assert c.answer() == Refuse("say hello first")
    rejected = events.MessageRejected("c", "stranger", "say hello first")
    assert a.wait(events.MessageRejected) == rejected
    c.send(greeting("c"))  # in its own name it is welcome
    assert c.answer() == Welcome(0)


def test_a_neighbor_is_refused_for_what_it_says_under_its_own_name(net, a):
    b = client(net, a, KEYS["b"])
    b.send(greeting("b", run_id=b"other-id"))
    assert b.answer() == Refuse("another run")
    assert only_rejected(a, {"b"}, "refused") == "another run"


def test_a_client_that_closes_before_it_shows_a_key_is_silent(net, a):
    with socket.create_connection(a.endpoint, timeout=DEADLINE_S) as raw:
        raw.sendall(zmtp_greeting(b"CURVE"))
        assert raw.recv(1)
    assert only_rejected(a, SOMEBODY, "silent") == "closed without a message"


@pytest.mark.parametrize("how", ["plain", "another key"])
def test_a_peer_says_nothing_to_a_host_that_is_not_its_neighbor(net, how):
    router = net.raw(zmq.ROUTER)
    if how == "another key":
        other = make_keys({"b": ""})["b"]
        router.socket.curve_secretkey = other.secret.get_secret_value().encode()
        router.socket.curve_server = True
    a = net.end("a", ["b"], keys=KEYS["a"])
    a.transport.connect({"b": router.bind("127.1.0.2")})
    if how == "plain":  # a host with another key cannot even read our first message
        assert only_rejected(a, {"b"}, "unencrypted")
    assert not router.socket.poll(300)


def test_a_process_reads_the_keys_that_it_is_given(tmp_path):
    spec = spec_of_a(tmp_path, keys=KEYS["a"])
    given = ProcessInput(spec=spec, incarnation=Incarnation(number=1, port=7, late=True))
    there = ProcessInput.model_validate_json(given.model_dump_json())
    assert there == given
    assert there.spec.keys.secret.get_secret_value() not in repr(there)


@pytest.mark.network
def test_a_process_is_told_its_secret_key_on_its_line_alone(tmp_path):
    """Here it cannot become a peer, for its images are nowhere: what it prints tells no key."""
    spec = spec_of_a(tmp_path, keys=KEYS["a"])
    with open_board(1) as board, contextlib.closing(SpawnEngine(board)) as engine:
        started = engine.start(spec, Incarnation())
        started.line.flush()
        process, deadline = psutil.Process(started.pid), time.monotonic() + DEADLINE_S
        while not process.cmdline() and time.monotonic() < deadline:
            pass  # it becomes Python just now, and the kernel shows none
        shown = " ".join([*process.cmdline(), *process.environ().values()])
        assert "prisam_p2p.peer.process" in shown
        process.wait(4 * DEADLINE_S)
    written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert "Traceback" in written
    assert spec.keys.secret.get_secret_value() not in shown + written
