"""What the transport reports to the loop, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass, field

from prisam_p2p.transport.pull import Pull
from prisam_p2p.wire.mask_coding import RoundMask
from prisam_p2p.wire.relay_messages import MaskDigest, RelayedMask


@dataclass(frozen=True, slots=True)
class Welcomed:
    """A neighbor answered this peer's Hello: its announcements will arrive here."""

    neighbor: str


@dataclass(frozen=True, slots=True)
class Joined:
    """A neighbor's Hello was answered by a Welcome: this peer's announcements will reach it."""

    neighbor: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Left:
    """A neighbor's connection ended, it refused this peer, or (`for_good`) it said goodbye."""

    neighbor: str
    reason: str
    for_good: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """The control connection to a neighbor ended; ZeroMQ opens another when it can."""

    neighbor: str


@dataclass(frozen=True, slots=True)
class FencedOff:
    """From here on nothing comes of a neighbor's processes before `least_incarnation`."""

    neighbor: str
    least_incarnation: int


@dataclass(frozen=True, slots=True)
class MaskHeard:
    """A neighbor announced a mask.

    Attributes:
        heard_s: when it arrived, by time.monotonic().
    """

    neighbor: str
    announced: RoundMask
    heard_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class RelayHeard:
    """A neighbor said something of masks that are relayed: its own, or those of others."""

    neighbor: str
    message: RelayedMask | MaskDigest


@dataclass(frozen=True, slots=True)
class AnnounceDone:
    """This peer's mask of a round was handed to ZeroMQ for the neighbors `reached`."""

    round_index: int
    reached: list[str]
    unreachable: list[str]


@dataclass(frozen=True, slots=True)
class PullDone:
    """Every byte of a pull has arrived.

    Attributes:
        began_s: by time.monotonic().
    """

    pull: Pull
    wall_s: float
    began_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class PullLost:
    """A pull ended without its weights.

    Attributes:
        check: the check that the donor's answer failed (shape); "" if it failed none.
        began_s: by time.monotonic().
        wall_s: from its beginning until it was given up.
    """

    donor: str
    round_index: int
    reason: str
    check: str = ""
    began_s: float = field(default=0.0, compare=False)
    wall_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class MessageRejected:
    """Frames that were not accepted: one, or more of the kind (`Transport.take_rejected`)."""

    sender: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The transport's thread died, which is a bug; the peer cannot continue."""

    error: str


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The process was told to stop."""


@dataclass(frozen=True, slots=True)
class OrderCame:
    """The launcher sent an order: a wait may be over."""


Event = (
    Welcomed
    | Joined
    | Left
    | Lost
    | FencedOff
    | MaskHeard
    | RelayHeard
    | AnnounceDone
    | PullDone
    | PullLost
    | MessageRejected
    | Broken
    | StopAsked
    | OrderCame
)
