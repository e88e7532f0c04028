"""The progress of a run: what is shown of it, and the ways to show it."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Column

from prisam_p2p.control.spec import PeerSpec
from prisam_p2p.extensions.reference import short_name
from prisam_p2p.launch.peer_process import PeerProcess

_LINE_EVERY_S = 5.0

_NAMED = 3
"""So many lost hosts are named."""


@dataclass(frozen=True)
class ShownHosts:
    """The hosts of a run: how many it has, and which are lost. A run without hosts has none."""

    number: int = 0
    lost: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """Return them in words; nothing for a run without hosts."""
        if not self.number:
            return []
        if not self.lost:
            return [f"{self.number} hosts"]
        named = ", ".join(self.lost[:_NAMED])
        more = f" + {len(self.lost) - _NAMED} more" if len(self.lost) > _NAMED else ""
        return [f"{self.number - len(self.lost)}/{self.number} hosts ({named}{more} lost)"]


@dataclass(frozen=True)
class ProgressView:
    """How far a run is.

    Attributes:
        phase: what the launcher does.
        peers_ready, peers, lost: number of peers that are connected and not lost; of all; and of
            those that ended before their last round and will not come back.
        rounds_done: rounds finished, summed over the peers that are not lost; one that finished
            early counts as having done all.
        rounds: of each peer.
        slowest_round: rounds that every peer has finished that still runs rounds; where none does,
            those of the peer that came furthest.
        accuracy: mean test accuracy of the peers' latest models, None before the first.
        n_bytes: sent by all peers so far.
        left_s: estimated seconds to the end, None if unknown.
        waiting: who is waited for, and why; empty if all advance.
        hosts: of the run.
    """

    label: str
    phase: str
    peers_ready: int
    peers: int
    lost: int
    rounds_done: int
    rounds: int
    slowest_round: int
    accuracy: float | None
    n_bytes: int
    left_s: float | None
    waiting: str
    hosts: ShownHosts = ShownHosts()

    @property
    def all_rounds(self) -> int:
        """The rounds of all peers that are not lost."""
        return self.rounds * (self.peers - self.lost)

    def line(self) -> str:
        """Return the view as one line of text."""
        parts = [f"{self.phase}: {self.peers_ready}/{self.peers} peers"]
        if self.lost and self.phase != "stopping":  # then peers end because they are told to
            parts.append(f"{self.lost} lost")
        parts += self.hosts.words()
        parts.append(f"round {self.slowest_round}/{self.rounds}")
        if self.accuracy is not None:
            parts.append(f"accuracy {self.accuracy:.3f}")
        parts.append(f"{self.n_bytes / 2**20:.1f} MiB sent")
        if self.phase == "running":
            parts += self._time_left()
        if self.waiting:
            parts.append(self.waiting)
        return ", ".join(parts)

    def _time_left(self) -> list[str]:
        if self.left_s is not None:
            return [f"{self.left_s:.0f} s left"]
        return ["time left unknown"] if 0 < self.slowest_round < self.rounds else []


def view_of(
    specs: Sequence[PeerSpec],
    processes: Collection[PeerProcess],
    gone: Collection[str],
    phase: str,
    left_s: float | None,
    waiting: str = "",
    hosts: ShownHosts = ShownHosts(),
) -> ProgressView:
    """Return the state of a run of `specs`.

    Args:
        processes: the latest of each peer that has, or had, one.
        gone: peers that have no process and will not have another.
        left_s, waiting, hosts: see ProgressView.
    """
    settings = specs[0].settings
    there = [each for each in processes if not is_lost(each, gone)]
    running = [each.last_rounds_done for each in there if not each.done]
    over = [each.last_rounds_done for each in there if each.done]
    ended = over or [each.last_rounds_done for each in processes]
    latest = [each.last_accuracy for each in processes if each.last_accuracy is not None]
    return ProgressView(
        label=short_name(settings.algorithm),
        phase=phase,
        peers_ready=sum(each.ready for each in there),
        peers=len(specs),
        lost=len(processes) - len(there),
        rounds_done=sum(running) + settings.rounds * len(over),
        rounds=settings.rounds,
        slowest_round=min(running) if running else max(ended, default=0),
        accuracy=sum(latest) / len(latest) if latest else None,
        n_bytes=sum(each.all_bytes for each in processes),
        left_s=left_s,
        waiting=waiting,
        hosts=hosts,
    )


def is_lost(process: PeerProcess, gone: Collection[str]) -> bool:
    """Tell whether a peer ended before its last round, and will not come back."""
    if process.done:
        return process.fate() != "completed"
    return process.peer in gone


class ProgressDisplay(Protocol):
    """Shows a run's progress."""

    def show(self, view: ProgressView) -> None:
        """Show the state of the run, which may be the same as before."""

    def end(self) -> None:
        """Show nothing more: the run has ended."""


class NoDisplay:
    """Shows nothing."""

    def show(self, view: ProgressView) -> None:
        """See ProgressDisplay."""

    def end(self) -> None:
        """See ProgressDisplay."""


class LineDisplay:
    """Writes a line to stderr when a phase or a round is over, and every few seconds.

    So it does when a peer or a host is lost, and when the run begins or ends to wait for one.
    """

    def __init__(self) -> None:
        self._last: tuple[object, ...] = ()
        self._at_s = 0.0

    def show(self, view: ProgressView) -> None:
        """See ProgressDisplay."""
        state = (view.phase, view.slowest_round, view.lost, view.hosts.lost, bool(view.waiting))
        if state != self._last or time.monotonic() - self._at_s > _LINE_EVERY_S:
            self._last, self._at_s = state, time.monotonic()
            print(f"{view.label}: {view.line()}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """See ProgressDisplay."""


class BarDisplay:
    """Draws a progress bar on a terminal."""

    def __init__(self) -> None:
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[line]}", table_column=Column()),  # wraps where it must
            console=Console(stderr=True),
            auto_refresh=False,  # no thread in the launcher
        )
        self._task = self._bar.add_task("", total=None, line="")
        self._bar.start()

    def show(self, view: ProgressView) -> None:
        """See ProgressDisplay."""
        self._bar.update(
            self._task,
            description=view.label,
            total=view.all_rounds,
            completed=view.rounds_done,
            line=view.line(),
            refresh=True,
        )

    def end(self) -> None:
        """See ProgressDisplay."""
        self._bar.stop()


def display_for(quiet: bool) -> ProgressDisplay:
    """Return the display that suits stderr: a bar on a terminal, lines elsewhere."""
    if quiet:
        return NoDisplay()
    return BarDisplay() if sys.stderr.isatty() else LineDisplay()
