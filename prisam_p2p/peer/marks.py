"""A peer's marks on the board: what it is doing, and whether it gets on (control/activity.py).

The launcher's watchdog reads them. They are written into shared memory: no message, no lock.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from itertools import count
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from prisam_p2p.control.activity import Activity, BoardLayout, Slot, bits_of
from prisam_p2p.control.spec import BoardSpec
from prisam_p2p.peer.spans import SpanLog

_AGAIN_AFTER_S = 0.4
"""Whom a peer waits for is shown anew at most this often: many masks may arrive in a moment."""


@dataclass(frozen=True, slots=True)
class _Mark:
    activity: Activity
    until_s: float = 0.0
    waits_for: bytes = b""


class Marks:
    """Writes this peer's slot. Only `advance` may be called by other threads than the main one.

    Args:
        board: None = nobody looks.
        place: the peer's.
        spans: keeps how long it does what; None = nobody asks.
    """

    def __init__(
        self, board: BoardSpec | None = None, place: int = 0, spans: SpanLog | None = None
    ) -> None:
        self._places = board.places if board else {}
        self._layout = BoardLayout(board.n_peers if board else 1)
        self._part = self._layout.part(place)
        self._memory = mmap.mmap(board.fd, self._layout.n_bytes) if board else None
        self._steps = count(1)
        self._progress, self._round_index = 0, -1
        self._mark, self._shown_s = _Mark(Activity.STARTING), 0.0
        self._spans = spans

    @contextmanager
    def doing(
        self, activity: Activity, until_s: float = 0.0, waits_for: Collection[str] = ()
    ) -> Iterator[None]:
        """Show an activity inside the block, and after it again what was shown before.

        Args:
            until_s: when a wait ends at the latest, by time.monotonic(); 0 = it is no wait.
            waits_for: the neighbors that it waits for.
        """
        self._begin_span(activity)  # first, and last at the end: showing it is part of it
        before, self._mark = self._mark, _Mark(activity, until_s, self._bits(waits_for))
        self.advance()
        try:
            yield
        finally:
            self._mark = before
            self.advance()
            self._begin_span(before.activity)

    @contextmanager
    def waiting(self) -> Iterator[Callable[[float, Callable[[], Collection[str]]], None]]:
        """Show that the present activity waits, inside the block.

        Yields:
            What shows until when (time.monotonic()) and for which neighbors; cheap if called often.
        """
        before = self._mark
        try:
            yield self._wait_until
        finally:
            self._mark = before
            self._show()

    def begin_round(self, round_index: int) -> None:
        """Show that a round begins."""
        self._round_index = round_index
        self.advance()

    def write_spans(self) -> None:
        """Journal what was done until now."""
        if self._spans:
            self._spans.write(self._round_index)

    def end_spans(self) -> None:
        """Journal what was done until now, and nothing after it: the last record follows."""
        self.write_spans()
        self._spans = None

    def advance(self) -> None:
        """Show that this peer gets on: a phase, a step, a mask or a chunk."""
        self._progress = next(self._steps)
        self._show()

    def _begin_span(self, activity: Activity) -> None:
        if self._spans:
            self._spans.change(activity.phase, self._round_index)

    def _wait_until(self, until_s: float, awaited: Callable[[], Collection[str]]) -> None:
        first = not self._mark.until_s
        if first or time.monotonic() - self._shown_s >= _AGAIN_AFTER_S:
            self._mark = _Mark(self._mark.activity, until_s, self._bits(awaited()))
            self._show()

    def _show(self) -> None:
        self._shown_s = time.monotonic()
        if self._memory is not None:
            mark = self._mark
            slot = Slot(
                self._progress, self._round_index, mark.activity, mark.until_s, mark.waits_for
            )
            self._memory[self._part] = self._layout.encode(slot)

    def _bits(self, peers: Collection[str]) -> bytes:
        return bits_of([self._places[peer] for peer in peers if peer in self._places])


class _Marked(Protocol):
    marks: Marks


Me = TypeVar("Me", bound=_Marked)
P = ParamSpec("P")
R = TypeVar("R")


def does(
    activity: Activity,
) -> Callable[[Callable[Concatenate[Me, P], R]], Callable[Concatenate[Me, P], R]]:
    """Mark all of a method as one activity, for objects that have `marks`."""

    def decorate(step: Callable[Concatenate[Me, P], R]) -> Callable[Concatenate[Me, P], R]:
        @wraps(step)
        def marked(me: Me, /, *args: P.args, **more: P.kwargs) -> R:
            with me.marks.doing(activity):
                return step(me, *args, **more)

        return marked

    return decorate
