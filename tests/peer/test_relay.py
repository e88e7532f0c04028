"""Masks relayed over real sockets, and weights pulled from peers that they lead to."""

import contextlib
from dataclasses import replace

import pytest
import zmq
from relay_network import LAYOUT, RUN, WEIGHTS, mask_of, meet, play, relaying_peers
from tiny_layouts import same

from prisam_p2p.transport.messenger import Messenger
from prisam_p2p.transport.sessions import Identity
from prisam_p2p.wire.codec import encode
from prisam_p2p.wire.messages import Channel
from prisam_p2p.wire.relay_messages import RelayedMask

secured_or_not = pytest.mark.parametrize("secured", [False, True], ids=["plain", "curve"])


@secured_or_not
def test_a_line_of_peers_hears_all_masks_and_pulls_from_its_other_end(tmp_path, secured):
    with relaying_peers(tmp_path, "ab bc cd", secured=secured) as made:
        for t, shifts in enumerate([{}, {}, {"d": 1}]):
            heard = play(made, t, shifts)
            masks = {n: mask_of(n, shifts.get(n, 0)) for n in "abcd"}
            for n, found in heard.items():
                assert found == {o: m for o, m in masks.items() if o != n}
            pulled = made["a"].network.pull(t, ["b", "c", "d"], None)
            assert list(pulled) == ["b", "c", "d"]
            assert all(same(each, WEIGHTS) for each in pulled.values())
        told = made["a"].records("relayed")
        assert [x["hops"] for x in told] == [{"c": 2, "d": 3}] * 3
        assert [x["asked"] for x in told] == [2, 0, 1]  # an unchanged mask is not asked for
        assert not any(x["missing"] for x in told)
        assert {n: each.turned() for n, each in made.items()} == {n: set() for n in "abcd"}
        channels = {(x["neighbor"], x["channel"]) for x in made["d"].records("connection")}
        assert ("a", "bulk") in channels
        assert ("a", "control") not in channels


@secured_or_not
def test_a_connection_to_a_peer_that_is_no_neighbor_ends_when_no_path_leads_there(
    tmp_path, secured
):
    with relaying_peers(tmp_path, "ab bc", secured=secured) as made:
        play(made, 0)
        assert list(made["a"].network.pull(0, ["c"], None)) == ["c"]
        made["b"].transport.close()
        alone = {n: made[n] for n in "ac"}
        assert play(alone, 1) == {"a": {}, "c": {}}
        assert made["a"].network.pull(1, ["c"], None) == {}
    (failed,) = made["a"].records("pull_failed")
    assert failed["reason"] == "no path of links leads to it"


def test_a_neighbor_that_left_after_its_mask_came_is_not_awaited(tmp_path):
    with relaying_peers(tmp_path, "ab") as made:
        play(made, 0)
        a, b = made["a"], made["b"]
        b.network.announce(1, mask_of("b"), WEIGHTS)
        a.network.serve_until(lambda: a.network.reached() == 1, 20.0)
        b.transport.close()
        assert not a.network.settle(["b"], 1.0)  # takes in that both connections have closed
        assert a.round(1) == {"b": mask_of("b")}
        assert [x["missing"] for x in a.records("relayed")] == [[], []]


def test_a_neighbor_that_comes_late_is_told_the_digests_of_before(tmp_path):
    with relaying_peers(tmp_path, "ab", connected=False) as made:
        a, b = made["a"], made["b"]
        meet(made, 0.0, "b")
        assert b.round(0) == {}
        meet(made, 20.0, "a")
        assert a.round(0) == {"b": mask_of("b")}
        assert [x["missing"] for x in a.records("relayed")] == [[]]


class Alters(Messenger):
    """Alters the masks of others that it relays."""

    def send(self, outlet, message):
        if isinstance(message, RelayedMask) and message.n_bits and message.origin != "c":
            message = replace(message, bits=mask_of("x").bits)
        return super().send(outlet, message)


def test_a_relay_that_alters_a_mask_is_found_out_and_another_one_is_asked(tmp_path):
    """Square a-b-c-d and a-d, b-c: what b relays wrongly comes from d."""
    forger = {"messenger_of": Alters}
    with relaying_peers(tmp_path, "ab bc ad dc", secured=True, b=forger) as made:
        heard = play(made, 0)
        assert heard["a"] == {n: mask_of(n) for n in "bcd"}
        assert heard["c"] == {n: mask_of(n) for n in "abd"}
        assert made["c"].turned() == {("b", "forged")}


def test_where_no_honest_relay_has_it_an_altered_mask_is_no_mask(tmp_path):
    with relaying_peers(tmp_path, "ab bc", secured=True, b={"messenger_of": Alters}) as made:
        heard = play(made, 0)
        assert heard["c"] == {"b": mask_of("b")}
        assert heard["a"] == {n: mask_of(n) for n in "bc"}


def test_without_keys_nobody_can_tell(tmp_path):
    with relaying_peers(tmp_path, "ab bc", b={"messenger_of": Alters}) as made:
        assert play(made, 0)["c"]["a"] == mask_of("x")


@contextlib.contextmanager
def knocking(peer, name, channel, *before):
    """Yield a client that sends messages and a Hello; with keys, by one that nobody knows."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.set(zmq.LINGER, 0)
        if peer.keys:
            public, secret = zmq.curve_keypair()
            socket.set(zmq.CURVE_PUBLICKEY, public)
            socket.set(zmq.CURVE_SECRETKEY, secret)
            socket.set(zmq.CURVE_SERVERKEY, peer.keys.public.encode())
        socket.connect(f"tcp://{peer.address}:{peer.transport.port}")
        hello = Identity(RUN, name, 0, b"w" * 16, LAYOUT.digest).hello(channel)
        for message in (*before, hello):
            socket.send_multipart(encode(message))
        yield socket


@pytest.mark.parametrize("shows", ["nothing", "what another peer signed", "what nobody signed"])
def test_a_client_that_shows_no_statement_of_its_own_is_turned_away(tmp_path, shows):
    with relaying_peers(tmp_path, "ab bc", secured=True) as made:
        play(made, 0)
        of_c = made["a"].network._relay.book.where("c")
        assert of_c.public_key
        before = {
            "nothing": (),
            "what another peer signed": (of_c,),
            "what nobody signed": (replace(of_c, signature=bytes(64)),),
        }[shows]
        with knocking(made["a"], "c", Channel.BULK, *before) as socket:
            assert not socket.poll(300)  # no Welcome
        play(made, 1)
        assert list(made["a"].network.pull(1, ["c"], None)) == ["c"]  # the real one is served
        verdicts = {verdict for _, verdict in made["a"].turned()}
        assert "unknown-key" in verdicts <= {"unknown-key", "silent"}  # ZeroMQ tries again


def test_a_peer_that_is_no_neighbor_may_pull_weights_and_hears_no_masks(tmp_path):
    with relaying_peers(tmp_path, "ab bc") as made:
        play(made, 0)
        with knocking(made["a"], "c", Channel.CONTROL) as socket:
            assert b"c is no neighbor of a" in socket.recv_multipart()[0]
        assert made["a"].turned() == {("c", "refused")}
