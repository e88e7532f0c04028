"""What a peer exchanges in a round: masks, which give its group, and weights, which it averages."""

from __future__ import annotations

from dataclasses import dataclass, field

SAID_BYE = "left before round "
"""Prefix of the reason why a neighbor is missing that said Bye (`Heard`): it left on purpose."""


@dataclass(frozen=True, slots=True)
class Offered:
    """From now on, a peer that requests the weights of this round gets these."""

    round: int
    n_bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class Announced:
    """The similarity mask was sent to the neighbors that could be reached.

    `n_bytes` is of the weights that are offered with it.
    """

    round: int
    n_bytes: int
    reached: list[str]
    unreachable: list[str]


@dataclass(frozen=True, slots=True)
class Heard:
    """The wait for the neighbors' masks ended; `missing`: neighbor -> why its mask is missing.

    The wait could have taken `deadline_s` at most.
    """

    round: int
    peers: list[str]
    missing: dict[str, str]
    waited_s: float
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Relayed:
    """The steps by which masks are relayed ended (--mask-hops).

    Attributes:
        hops: peer -> links that its mask travelled; of peers that are no neighbors.
        asked: requests for masks that were sent.
        missing: neighbors that did not tell what they know, or did not send what they listed.
        deadline_s: the most that the steps could have taken together.
    """

    round: int
    hops: dict[str, int]
    asked: int
    missing: list[str]
    waited_s: float
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When each neighbor's mask of a round arrived.

    Attributes:
        t0_s: of the first one, on the run's clock; of the wait's end where none arrived.
        ms: milliseconds after t0_s, in the order of the neighbors' ids; None where none arrived
            before the wait ended.
    """

    round: int
    t0_s: float
    ms: list[int | None]


@dataclass(frozen=True, slots=True)
class Grouped:
    """This peer's clustering: `labels` of all peers heard (none for top-m), its own `group`."""

    round: int
    labels: dict[str, int]
    group: list[str]


@dataclass(frozen=True, slots=True)
class Pulled:
    """A chosen peer's weights arrived whole."""

    round: int
    donor: str
    n_bytes: int
    fetched_bytes: int
    digest: str
    wall_s: float
    mbit_s: float
    began_s: float | None = None


@dataclass(frozen=True, slots=True)
class PullFailed:
    """A chosen peer's weights did not arrive; it is left out of this round."""

    round: int
    donor: str
    reason: str
    began_s: float | None = None
    wall_s: float | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The weights of a chosen peer failed a check on receipt; it is left out of this round.

    `fetched_bytes`: of weights that arrived whole and were thrown away.
    """

    round: int
    donor: str
    check: str
    detail: str
    fetched_bytes: int = 0
    wall_s: float | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """A neighbor's pull of this peer's weights, as the donor saw it, from request to end.

    Attributes:
        round: of the weights that were asked for.
        to: the neighbor.
        offered_round: the latest round that this peer offered then; None = none yet.
        n_bytes: bytes of weights that went out.
        began_s: time of the first request, on the run's clock.
        queued_s: how long it waited for an upload slot.
        state: whole, offered, stopped or failed.
    """

    round: int
    to: str
    offered_round: int | None
    n_bytes: int
    began_s: float
    queued_s: float
    wall_s: float
    state: str


@dataclass(frozen=True, slots=True)
class Aggregated:
    """The members averaged; how many channels exist in their union, and are kept of them.

    `norms`: of each donor's weights over the own ones' (core/defence.py).
    """

    round: int
    members: list[str]
    union_channels: int
    kept_channels: int
    regrowth: bool
    norms: dict[str, float] = field(default_factory=dict)
