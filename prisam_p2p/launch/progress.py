"""The progress of a run: what is shown of it, and the ways to show it."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from prisam_p2p.control.spec import PeerSpec
from prisam_p2p.launch.peer_process import PeerProcess

_LINE_EVERY_S = 5.0


@dataclass(frozen=True)
class ProgressView:
    """How far a run is.

    Attributes:
        phase: what the launcher waits for.
        peers_ready, peers: number of peers that are connected, and of all.
        rounds_done: rounds finished, summed over peers; rounds: of each peer.
        slowest_round: rounds that every peer has finished.
        accuracy: mean test accuracy of the peers' latest models, None before the first.
        n_bytes: sent by all peers so far.
        left_s: estimated seconds to the end, None before the first round.
    """

    label: str
    phase: str
    peers_ready: int
    peers: int
    rounds_done: int
    rounds: int
    slowest_round: int
    accuracy: float | None
    n_bytes: int
    left_s: float | None

    def line(self) -> str:
        """Return the view as one line of text."""
        parts = [
            f"{self.phase}: {self.peers_ready}/{self.peers} peers",
            f"round {self.slowest_round}/{self.rounds}",
        ]
        if self.accuracy is not None:
            parts.append(f"accuracy {self.accuracy:.3f}")
        parts.append(f"{self.n_bytes / 2**20:.1f} MiB sent")
        if self.left_s is not None:
            parts.append(f"{self.left_s:.0f} s left")
        return ", ".join(parts)


def view_of(
    specs: Sequence[PeerSpec], processes: Collection[PeerProcess], phase: str, since_s: float
) -> ProgressView:
    """Return the state of a run of `specs` whose rounds began `since_s` seconds ago."""
    settings = specs[0].settings
    done = sum(each.last_rounds_done for each in processes)
    latest = [each.last_accuracy for each in processes if each.last_accuracy is not None]
    all_rounds = settings.rounds * len(specs)
    return ProgressView(
        label=settings.algorithm.value,
        phase=phase,
        peers_ready=sum(each.ready for each in processes),
        peers=len(specs),
        rounds_done=done,
        rounds=settings.rounds,
        slowest_round=min((each.last_rounds_done for each in processes), default=0),
        accuracy=sum(latest) / len(latest) if latest else None,
        n_bytes=sum(each.all_bytes for each in processes),
        left_s=since_s / done * (all_rounds - done) if done else None,
    )


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
    """Writes a line to stderr when a phase or a round is over, and every few seconds."""

    def __init__(self) -> None:
        self._last: tuple[str, int] = ("", -1)
        self._at_s = 0.0

    def show(self, view: ProgressView) -> None:
        """See ProgressDisplay."""
        state = (view.phase, view.slowest_round)
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
            TextColumn("{task.fields[line]}"),
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
            total=view.rounds * view.peers,
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
