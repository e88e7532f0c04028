"""The run, as its launcher saw it: its network, its peers' processes, who showed it, its end.

What happened to its hosts stands in hosts.py, and what went wrong in faults.py.
"""

from __future__ import annotations

from dataclasses import dataclass

AS_PLANNED = " as planned"
"""Suffix of the final state of a peer that a fault took away for good (`RunEnded`)."""

LOST_WITH_HOST = "lost with host "
"""Prefix of the final state of a peer whose host was lost."""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The launcher made the run folder and starts processes; `launches`: number of earlier ones."""

    run_id: str
    algorithm: str
    peers: int
    pid: int
    launches: int = 0


@dataclass(frozen=True, slots=True)
class Watched:
    """A viewer's process was there from `from_s` to `to_s`; null: still, or it ended unseen."""

    from_s: float
    to_s: float | None


@dataclass(frozen=True, slots=True)
class NetworkMade:
    """The network between the peers of this run."""

    kind: str
    reason: str
    mtu: int
    congestion: str
    delay_by: str | None
    measured: list[dict[str, float | str | None]]


@dataclass(frozen=True, slots=True)
class PeerStarted:
    """The launcher started a peer process; `host` is "" where the run has no hosts."""

    peer: str
    pid: int
    incarnation: int
    host: str = ""


@dataclass(frozen=True, slots=True)
class AllReady:
    """Every peer is up and connected; rounds begin."""

    wall_s: float
    cpu_s_per_peer: float | None
    pss_mib_per_peer: float | None


@dataclass(frozen=True, slots=True)
class PeerEnded:
    """A peer process ended."""

    peer: str
    pid: int
    exit_code: int


@dataclass(frozen=True, slots=True)
class PeerRefused:
    """The system refused a peer's process what it cannot run without; the process ended itself.

    `what`: the path or the limit; `reason`: the system's words.
    """

    peer: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Settled:
    """At the end, connections had time to come back, and messages on their way to arrive.

    Written in a run with faults, and where a peer stopped before its last round.

    Attributes:
        late: peers that still lacked a neighbor then.
    """

    wall_s: float
    late: list[str]


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The launcher's last line."""

    status: str
    duration_s: float
    states: dict[str, str]
