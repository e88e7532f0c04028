"""How processes are started, signalled, sampled and reaped: the one interface of all engines.

An engine names a process by a number that it never gives anew. Pids are for people: two hosts may
have the same, and a host gives one again.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from prisam_p2p.control.spec import Incarnation, PeerSpec
from prisam_p2p.errors import LaunchError
from prisam_p2p.processes.process_acts import ProcessActs
from prisam_p2p.processes.sampling import Sample
from prisam_p2p.system.json_lines import LineSocket


@dataclass(frozen=True)
class StartedProcess:
    """A new process.

    Attributes:
        pid: on its host.
        line: the launcher's end of its control line.
        host: that it runs on; "" = this one.
    """

    number: int
    pid: int
    line: LineSocket
    host: str = ""


@dataclass(frozen=True)
class ProcessExit:
    """A process has ended; `code` is its exit code, or minus the signal that ended it."""

    number: int
    code: int


@dataclass(frozen=True)
class Trouble:
    """A process that the launcher needs besides the peers stands still.

    Attributes:
        name, reason, since_s: as in "zygote", "stopped", 12.0.
    """

    name: str
    reason: str
    since_s: float


@dataclass(frozen=True)
class HostLoss:
    """A host of an engine with several is counted as lost.

    Attributes:
        reason: why, in words.
        silent_s: for how long nothing was heard of it.
        free_s: from when on its peers may be started elsewhere, on the launcher's clock.
    """

    host: str
    reason: str
    silent_s: float
    free_s: float


class HostGone(LaunchError):
    """A host was lost while something was to be done there."""


class Engine(Protocol):
    """Starts, signals, samples and reaps the processes of peers.

    Attributes:
        on_wait: called several times a second while `start` waits; may raise.
    """

    on_wait: Callable[[], object]

    @property
    def acts(self) -> ProcessActs:
        """What faults do to the processes; whoever has the engine calls `acts.look` often."""

    def start(self, spec: PeerSpec, incarnation: Incarnation) -> StartedProcess:
        """Start a process.

        Raises:
            HostGone: the host of the peer is lost.
            LaunchError: what this engine needs has ended, or stood still for too long.
        """

    def exits(self) -> list[ProcessExit]:
        """Return the processes that ended since the last call."""

    def samples(self) -> list[Sample] | None:
        """Return new samples of all processes, None where it is not time yet; never waits.

        Raises:
            LaunchError: as `start`.
        """

    def trouble(self) -> Trouble | None:
        """Return what stands still of that which this engine needs itself, if anything does."""

    def signal(self, number: int, signum: int) -> None:
        """Signal a process that this engine started; nothing happens if it has ended."""

    def watch(self, selector: selectors.BaseSelector) -> None:
        """Register what becomes readable when a process ends, if this engine has such a thing."""

    def close(self) -> None:
        """Kill the processes that are left."""
