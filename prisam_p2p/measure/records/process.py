"""A peer's process: its start, the rounds that it skips, what it does and uses, its end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Started:
    """A peer process is up and its ROUTER is bound."""

    peer: str
    pid: int
    incarnation: int
    address: str
    port: int
    prune_ratio: float


@dataclass(frozen=True, slots=True)
class Resumed:
    """A later process of a peer: the round of its state, and the round with which it continues.

    `source` of its weights: state, neighbor (`donor`) or fresh (W0).
    """

    state_round: int
    round: int
    source: str
    donor: str | None


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """After `round` this peer skips to `next_round`, which half of its neighbors have reached."""

    round: int
    next_round: int


@dataclass(frozen=True, slots=True)
class SatOut:
    """This peer was not drawn to take part in a round, and the round is over.

    `waited_s`: until the masks of the neighbors that took part were here, or were given up.
    """

    round: int
    waited_s: float


@dataclass(frozen=True, slots=True)
class StateNotWritten:
    """The state for the next round could not be stored; the earlier one is kept."""

    round: int
    reason: str


@dataclass(frozen=True, slots=True)
class Spans:
    """What this peer's main thread did since the last such record, without gap or overlap.

    Attributes:
        round: at the time of writing; -1 before the first.
        spans: [phase, begin, end] in seconds on the run's clock; phases are `Activity.phase`.
    """

    round: int
    spans: list[tuple[str, float, float]]


@dataclass(frozen=True, slots=True)
class Resources:
    """What this process used until the end of a round.

    Attributes:
        cpu_s: CPU time of the process.
        memory_mib: private memory above that at the beginning of the rounds; None = unknown.
        sent_bytes, received_bytes: payload: mask bits and weights.
    """

    round: int
    cpu_s: float
    memory_mib: float | None
    sent_bytes: int
    received_bytes: int


@dataclass(frozen=True, slots=True)
class MemoryExceeded:
    """An allocation beyond the device's memory was refused and caught."""

    round: int
    asked_mib: float
    used_mib: float | None
    error: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The last line of a peer: completed, stopped, out-of-memory or failed.

    `peak_mib` is memory above what the process had when the rounds began; the rates are
    the most weights that it sent, and asked for, in any one second.
    """

    state: str
    rounds: int
    reason: str = ""
    cpu_s: float = 0.0
    peak_mib: float | None = None
    up_mbit_s: float | None = None
    down_mbit_s: float | None = None
