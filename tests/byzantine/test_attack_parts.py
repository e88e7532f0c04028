"""Every kind of lie has its parts, and each message that one sends is the lie it should be."""

import msgpack
import pytest

from prisam_p2p.byzantine.corruptions import Tally
from prisam_p2p.byzantine.exchanges import Misshapen, OtherVersion, Refusing, Spoofing
from prisam_p2p.byzantine.process import parts_of
from prisam_p2p.control.spec import AttackSpec
from prisam_p2p.errors import ConfigError, WireError
from prisam_p2p.faults.acts import SUPPORTED
from prisam_p2p.faults.kinds import REPLACING
from prisam_p2p.peer.components import Parts
from prisam_p2p.report.byzantine_peers import RUDE
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


class Line:
    number = 7


class Spec:
    """What `parts_of` reads of a spec."""

    neighbors = ("p00", "p02")
    index = 1
    journal_path = None

    class settings:
        seed = 0


def sent(kind, message, to="p00"):
    """Return what a messenger of that kind puts on the wire for `message`, and the lies told."""
    lies, frames = [], []
    more = (Spec.neighbors,) if kind is Spoofing else ()
    messenger = kind(*more, Tally(lies.append), None, Counts())
    put = lambda each: frames.append([bytes(f) for f in each]) or True  # noqa: E731
    assert messenger.send(Line, to, message, put)
    return frames[0], lies


def test_every_kind_of_lie_can_be_told():
    for kind in REPLACING:
        assert isinstance(parts_of(Spec, AttackSpec(fault="f#0", kind=kind), print), Parts)
    with pytest.raises(ConfigError, match="kindness"):
        parts_of(Spec, AttackSpec(fault="f#0", kind="kindness"), print)


def test_every_room_knows_the_same_kinds():
    assert RUDE == REPLACING
    assert REPLACING <= SUPPORTED


def test_lies_are_reported_ever_more_seldom():
    told = []
    tally = Tally(told.append)
    for _ in range(20):
        tally.add()
    assert told == [1, 2, 4, 8, 16]


@pytest.mark.parametrize(
    ("kind", "message", "lie"),
    [
        (Refusing, OFFER, Unavailable(2)),
        (Misshapen, OFFER, WeightsOffer(2, b"d" * 16, 24, b"\xff\xf0\xff")),
        (Misshapen, Chunk(b"d" * 16, 4, b"abc"), Chunk(b"d" * 16, 4, b"ab")),
        (Spoofing, HELLO, Hello(b"r" * 8, "p02", 0, Channel.CONTROL, b"w" * 16, b"l" * 16)),
    ],
)
def test_a_lie_for_a_message(kind, message, lie):
    frames, lies = sent(kind, message)
    assert (decode(frames), lies) == (lie, [1])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Refusing, Chunk(b"d" * 16, 0, b"abc")),
        (Misshapen, WeightsOffer(3, b"d" * 16, 12, b"\xff\xf0")),
        (Spoofing, Welcome(0)),
    ],
)
def test_what_is_no_matter_of_the_lie_is_true(kind, message):
    frames, lies = sent(kind, message)
    assert (decode(frames), lies) == (message, [])


def test_the_other_version_differs_in_nothing_else():
    message = MaskAnnounce(3, 12, b"\xff\xf0")
    frames, lies = sent(OtherVersion, message)
    assert lies == [1]
    with pytest.raises(WireError, match=f"wire version {WIRE_VERSION + 1}"):
        decode(frames)
    header = msgpack.packb([WIRE_VERSION, *msgpack.unpackb(frames[0])[1:]])
    assert decode([header, *frames[1:]]) == message
