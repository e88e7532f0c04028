"""Every attack has its parts, and forges the messages that it should."""

import msgpack
import pytest

from prisam_p2p.byzantine import messengers, networks, transports
from prisam_p2p.byzantine.attacker import Attacker, Tally
from prisam_p2p.byzantine.messengers import OtherVersion, Refusals, SpoofedHellos, WrongShapes
from prisam_p2p.byzantine.process import parts_of
from prisam_p2p.control.spec import AttackSpec
from prisam_p2p.errors import ConfigError, WireError
from prisam_p2p.faults.attacks import ATTACKS
from prisam_p2p.peer.neighbors import Neighbors
from prisam_p2p.transport.connections import TcpConnection
from prisam_p2p.transport.messenger import Messenger, Outlet
from prisam_p2p.transport.transport import Transport
from prisam_p2p.wire.codec import WIRE_VERSION, decode
from prisam_p2p.wire.messages import (
    Channel,
    Chunk,
    Hello,
    MaskAnnounce,
    Unavailable,
    WeightsOffer,
    Welcome,
)

HELLO = Hello(b"r" * 8, "p01", 0, Channel.CONTROL, b"w" * 16, b"l" * 16)
OFFER = WeightsOffer(2, b"d" * 16, 12, b"\xff\xf0")


class Counts:
    def add(self, *row):
        self.row = row


class Socket:
    """A DEALER that takes a message."""

    def send_multipart(self, frames, _flags, copy):
        self.frames = [bytes(frame) for frame in frames]


class Spec:
    """What `parts_of` reads of a spec."""

    neighbors = ("p00", "p02")
    index = 1
    journal_path = None

    class settings:
        seed = 0


def sent(kind, message, to="p00"):
    """Return what a messenger of that kind sends for `message`, and the attacks reported."""
    attacks, socket = [], Socket()
    messenger = kind(Attacker(Spec, None, Tally(attacks.append)), None, Counts())
    assert messenger.send(Outlet(to, socket, TcpConnection(7, "client", "", "")), message)
    return socket.frames, attacks


@pytest.mark.parametrize(("name", "row"), ATTACKS.items())
def test_an_attack_replaces_the_parts_that_its_row_names(name, row):
    parts = parts_of(Spec, AttackSpec(fault="f#0", kind=name), print)
    assert class_of(parts.network) is getattr(networks, row.network, Neighbors)
    assert class_of(parts.transport) is getattr(transports, row.transport, Transport)
    messenger = getattr(parts.transport, "keywords", {}).get("messenger_of", Messenger)
    assert class_of(messenger) is getattr(messengers, row.messenger, Messenger)
    assert (parts.network, parts.transport) != (Neighbors, Transport)


def class_of(part):
    """Return the class that a part, or a partial (of a partial) of it, makes."""
    return getattr(part, "func", part)


def test_an_attack_that_is_in_no_row_is_refused():
    with pytest.raises(ConfigError, match="kindness"):
        parts_of(Spec, AttackSpec(fault="f#0", kind="kindness"), print)


def test_attacks_are_reported_ever_more_seldom():
    told = []
    tally = Tally(told.append)
    for _ in range(20):
        tally.add()
    assert told == [1, 2, 4, 8, 16]


@pytest.mark.parametrize(
    ("kind", "message", "forged"),
    [
        (Refusals, OFFER, Unavailable(2)),
        (WrongShapes, OFFER, WeightsOffer(2, b"d" * 16, 24, b"\xff\xf0\xff")),
        (WrongShapes, Chunk(b"d" * 16, 4, b"abc"), Chunk(b"d" * 16, 4, b"ab")),
        (SpoofedHellos, HELLO, Hello(b"r" * 8, "p02", 0, Channel.CONTROL, b"w" * 16, b"l" * 16)),
    ],
)
def test_a_message_is_forged(kind, message, forged):
    frames, attacks = sent(kind, message)
    assert (decode(frames), attacks) == (forged, [1])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Refusals, Chunk(b"d" * 16, 0, b"abc")),
        (WrongShapes, WeightsOffer(3, b"d" * 16, 12, b"\xff\xf0")),
        (SpoofedHellos, Welcome(0)),
    ],
)
def test_other_messages_are_not_forged(kind, message):
    frames, attacks = sent(kind, message)
    assert (decode(frames), attacks) == (message, [])


def test_the_other_version_differs_in_nothing_else():
    message = MaskAnnounce(3, 12, b"\xff\xf0")
    frames, attacks = sent(OtherVersion, message)
    assert attacks == [1]
    with pytest.raises(WireError, match=f"wire version {WIRE_VERSION + 1}"):
        decode(frames)
    header = msgpack.packb([WIRE_VERSION, *msgpack.unpackb(frames[0])[1:]])
    assert decode([header, *frames[1:]]) == message
