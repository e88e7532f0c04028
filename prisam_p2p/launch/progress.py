"""What a run looks like from outside while it goes on, and who shows it."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from prisam_p2p.control.spec import PeerSpec
from prisam_p2p.launch.child import Child

_LINE_EVERY_S = 5.0


@dataclass(frozen=True)
class View:
    """A run's state.

    Attributes:
        phase: what the launcher waits for.
        peers_ready, peers: of all.
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
    specs: Sequence[PeerSpec], children: Collection[Child], phase: str, since_s: float
) -> View:
    """Return the state of a run of `specs` whose rounds began `since_s` ago."""
    settings = specs[0].settings
    done = sum(c.last_rounds_done for c in children)
    latest = [c.last_accuracy for c in children if c.last_accuracy is not None]
    all_rounds = settings.rounds * len(specs)
    return View(
        label=settings.algorithm.value,
        phase=phase,
        peers_ready=sum(c.ready for c in children),
        peers=len(specs),
        rounds_done=done,
        rounds=settings.rounds,
        slowest_round=min((c.last_rounds_done for c in children), default=0),
        accuracy=sum(latest) / len(latest) if latest else None,
        n_bytes=sum(c.all_bytes for c in children),
        left_s=since_s / done * (all_rounds - done) if done else None,
    )


class Observer(Protocol):
    """Shows a run's progress."""

    def show(self, view: View) -> None:
        """Something changed."""

    def end(self) -> None:
        """The run is over."""


class Quiet:
    """Shows nothing."""

    def show(self, view: View) -> None:
        """See Observer."""

    def end(self) -> None:
        """See Observer."""


class PlainLines:
    """Writes a line to stderr when a phase or a round is over, and every few seconds."""

    def __init__(self) -> None:
        self._last: tuple[str, int] = ("", -1)
        self._at_s = 0.0

    def show(self, view: View) -> None:
        """See Observer."""
        state = (view.phase, view.slowest_round)
        if state != self._last or time.monotonic() - self._at_s > _LINE_EVERY_S:
            self._last, self._at_s = state, time.monotonic()
            print(f"{view.label}: {view.line()}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """See Observer."""


class Bar:
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

    def show(self, view: View) -> None:
        """See Observer."""
        self._bar.update(
            self._task,
            description=view.label,
            total=view.rounds * view.peers,
            completed=view.rounds_done,
            line=view.line(),
            refresh=True,
        )

    def end(self) -> None:
        """See Observer."""
        self._bar.stop()


def observer_for(quiet: bool) -> Observer:
    """Return what suits where stderr goes."""
    if quiet:
        return Quiet()
    return Bar() if sys.stderr.isatty() else PlainLines()
