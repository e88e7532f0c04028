"""What went wrong, by a plan or not, and what was done about it.

The launcher writes them, but for `PolicyActed` and `TransferStopped`, which are a peer's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

GUARDED = "the guard: as many are down as may be"
"""Reason of a `FaultMissed` that the guard caused, at run time."""


@dataclass(frozen=True, slots=True)
class FaultApplied:
    """The launcher applied an occurrence of a fault at one peer, `late_s` after its time."""

    fault: str
    kind: str
    peer: str
    late_s: float


@dataclass(frozen=True, slots=True)
class FaultMissed:
    """A fault was due at a peer and not applied: the peer was down, or the guard forbade it."""

    fault: str
    peer: str
    reason: str


@dataclass(frozen=True, slots=True)
class FaultVerified:
    """Evidence that a fault had its effect at a peer."""

    fault: str
    peer: str
    evidence: str


@dataclass(frozen=True, slots=True)
class FaultHealed:
    """A fault is undone at a peer; a restarted one is connected again."""

    fault: str
    peer: str


@dataclass(frozen=True, slots=True)
class PolicyActed:
    """A rule of message faults was removed: messages that matched it, and that it acted on."""

    id: str
    matched: int
    acted: int


@dataclass(frozen=True, slots=True)
class TransferStopped:
    """A transfer of weights waits for the launcher: a fault happens at this share of it."""

    round: int
    share: float
    to: str
    offset: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Stalled:
    """A peer, or the zygote, stands still: `reason`, as in "stopped", for `since_s` so far.

    Attributes:
        doing: what it was at; "" for the zygote.
        round: -1 before the first, and for the zygote.
    """

    peer: str
    reason: str
    doing: str
    round: int
    since_s: float


@dataclass(frozen=True, slots=True)
class MovedOn:
    """What was stalled gets on again, `after_s` after it was noticed to stand still."""

    peer: str
    after_s: float


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The launcher ends peers that stand still, or that do not end when they are told to.

    Attributes:
        silent_s: for how long it has waited for them.
        reasons: peer -> why, in words.
    """

    peers: list[str]
    silent_s: float
    reasons: dict[str, str] = field(default_factory=dict)
