"""A donor's account of each pull of its weights, from the first request to the end. Pure.

A requester that found no free upload slot asks again: its serving began with its first request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from prisam_p2p.transport.sessions import Session


class Ending(StrEnum):
    """How a serving ended."""

    WHOLE = "whole"
    OFFERED = "offered"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(slots=True)
class Serving:
    """One pull, as its donor sees it.

    Attributes:
        round_index: of the weights that were asked for.
        latest_round: of the weights on offer then; None = none yet.
        began_s: the first request.
        offered_s: when the requester got a slot; None = it waits for one.
        moved_s: the last time that it asked for something or was sent something.
        n_bytes: of weights, sent so far.
    """

    to: str
    round_index: int
    latest_round: int | None
    began_s: float
    moved_s: float
    offered_s: float | None = None
    n_bytes: int = 0
    ending: Ending = Ending.STOPPED

    @property
    def queued_s(self) -> float:
        """How long it waited for a slot."""
        return (self.moved_s if self.offered_s is None else self.offered_s) - self.began_s

    @property
    def wall_s(self) -> float:
        """How long it took."""
        return self.moved_s - self.began_s


class Servings:
    """The servings under way, at most one for each session.

    One that the requester abandons ends with its next request, or with its session.

    Args:
        tell: told of each that has ended.
    """

    def __init__(self, tell: Callable[[Serving], None]) -> None:
        self._tell = tell
        self._open: dict[bytes, Serving] = {}

    def asked(
        self, requester: Session, round_index: int, latest_round: int | None, now_s: float
    ) -> None:
        """Note a request for the weights of a round; the same one again if it waits for a slot."""
        before = self._open.get(requester.sender)
        if before and before.offered_s is None and before.round_index == round_index:
            before.moved_s = now_s
            return
        self.left(requester)
        self._open[requester.sender] = Serving(
            requester.neighbor, round_index, latest_round, now_s, now_s
        )

    def offered(self, requester: Session, now_s: float) -> None:
        """Note that the requester got a slot, and was told what it can fetch."""
        if serving := self._open.get(requester.sender):
            serving.offered_s = serving.moved_s = now_s

    def sent(self, requester: Session, n_bytes: int, last: bool, now_s: float) -> None:
        """Note that weights went out; the `last` bytes of a snapshot end the serving."""
        if serving := self._open.get(requester.sender):
            serving.n_bytes += n_bytes
            serving.moved_s = now_s
            if last:
                self._end(requester.sender, Ending.WHOLE)

    def failed(self, requester: Session, now_s: float) -> None:
        """Note that this peer does not hold what was asked for."""
        if serving := self._open.get(requester.sender):
            serving.moved_s = now_s
            self._end(requester.sender, Ending.FAILED)

    def left(self, requester: Session) -> None:
        """End what a requester abandons, if there is something."""
        self._abandon(requester.sender)

    def close(self) -> None:
        """End all: this peer leaves."""
        for sender in list(self._open):
            self._abandon(sender)

    def _abandon(self, sender: bytes) -> None:
        if serving := self._open.get(sender):
            took_nothing = serving.offered_s is not None and not serving.n_bytes
            self._end(sender, Ending.OFFERED if took_nothing else Ending.STOPPED)

    def _end(self, sender: bytes, ending: Ending) -> None:
        serving = self._open.pop(sender)
        serving.ending = ending
        self._tell(serving)
