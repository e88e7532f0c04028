"""What the transport tells the loop, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass

from prisam_p2p.transport.pull import Pull
from prisam_p2p.wire.mask_stream import RoundMask


@dataclass(frozen=True, slots=True)
class Welcomed:
    """A neighbor answered our Hello: its announcements will reach us."""

    neighbor: str


@dataclass(frozen=True, slots=True)
class Joined:
    """A neighbor said Hello and was welcomed: our announcements will reach it."""

    neighbor: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Left:
    """A neighbor's connection is gone, it refused us, or (`for_good`) it said goodbye."""

    neighbor: str
    reason: str
    for_good: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """Our control connection to a neighbor is gone; ZeroMQ opens another when it can."""

    neighbor: str


@dataclass(frozen=True, slots=True)
class MaskHeard:
    """A neighbor announced a mask."""

    neighbor: str
    announced: RoundMask


@dataclass(frozen=True, slots=True)
class AnnounceDone:
    """Our mask of a round was handed to ZeroMQ for some neighbors, and could not be for others."""

    round_index: int
    reached: list[str]
    unreachable: list[str]


@dataclass(frozen=True, slots=True)
class PullDone:
    """Every byte of a pull is here."""

    pull: Pull
    wall_s: float


@dataclass(frozen=True, slots=True)
class PullLost:
    """A pull ended without its weights.

    Attributes:
        check: that the donor failed: shape; "" where it is not the donor's word that was wrong.
    """

    donor: str
    round_index: int
    reason: str
    check: str = ""


@dataclass(frozen=True, slots=True)
class MessageRejected:
    """Frames that were not accepted: one, or more of the kind (`Transport.take_rejected`)."""

    sender: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The transport's thread died: a bug of ours; the peer cannot go on."""

    error: str


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The process was told to stop."""


@dataclass(frozen=True, slots=True)
class OrderCame:
    """The launcher wrote: look whether a wait is over."""


Event = (
    Welcomed
    | Joined
    | Left
    | Lost
    | MaskHeard
    | AnnounceDone
    | PullDone
    | PullLost
    | MessageRejected
    | Broken
    | StopAsked
    | OrderCame
)
