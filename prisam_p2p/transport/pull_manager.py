"""The pulls under way: who is asked for what, and when one is given up. Pure: time is a number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prisam_p2p.errors import WireError
from prisam_p2p.transport import events
from prisam_p2p.transport.pacing import Pacer
from prisam_p2p.transport.pull import Answer, Pull, Unfit
from prisam_p2p.wire.messages import Busy, ChunkRequest, WeightsRequest

MIN_RATE_BYTES_S = 1024.0
"""Fewer bytes a second than any link of a device profile: a donor that sends so slowly is broken
or Byzantine. docs/decisions/0011-pulls.md."""


@dataclass(frozen=True)
class Patience:
    """When a pull is given up.

    Attributes:
        timeout_s: without a byte for so long, or ..
        least_bytes_s: .. with fewer bytes a second than this over `timeout_s`.
        resume_s: a donor whose connection is gone, or that answers no heartbeat, has so long to
            be back.
    """

    timeout_s: float
    least_bytes_s: float
    resume_s: float


@dataclass
class _Underway:
    """A pull and its clock.

    Attributes:
        moved_s: when its last byte came.
        mark_s, mark_bytes: where the measurement of its rate began.
        away_s: since when its donor is gone, None while it is there.
        silent_s: since when its donor answers no heartbeat and sends nothing, None while it does.
        retry_s: when to ask again a donor that was busy, None where it was not.
    """

    pull: Pull
    started_s: float
    moved_s: float
    mark_s: float
    mark_bytes: int = 0
    away_s: float | None = None
    silent_s: float | None = None
    retry_s: float | None = None

    @property
    def held_back(self) -> bool:
        """Whether our own rate holds the pull up, and not the donor."""
        there = self.away_s is None and self.retry_s is None
        return there and not self.pull.waits_for_bytes

    def stands(self, now_s: float) -> None:
        """Measure anew from here: it is not the donor who holds the pull up."""
        self.moved_s = self.mark_s = now_s
        self.mark_bytes = self.pull.fetched_bytes
        self.heard(now_s)

    def heard(self, now_s: float) -> None:
        """Note a sign of life."""
        if self.silent_s is not None:
            self.silent_s = now_s


class Pulls:
    """One pull a donor at most.

    Args:
        down: the device's download rate, which delays requests.
        ask: hands a request for a donor to its connection; False where there is none.
        tell: takes PullDone and PullLost.
    """

    def __init__(
        self,
        patience: Patience,
        down: Pacer,
        ask: Callable[[str, WeightsRequest | ChunkRequest], bool],
        tell: Callable[[events.Event], None],
    ) -> None:
        self._patience, self._down, self._ask, self._tell = patience, down, ask, tell
        self._underway: dict[str, _Underway] = {}

    def start(self, pull: Pull, now_s: float) -> None:
        """Begin; the first request goes out with `open`."""
        self._underway[pull.donor] = _Underway(pull, now_s, now_s, now_s)

    def open(self, donor: str, now_s: float) -> None:
        """Ask what the donor offers: there is a connection that is welcome."""
        state = self._underway.get(donor)
        if state is None:
            return
        state.away_s = state.silent_s = state.retry_s = None
        state.stands(now_s)
        if not self._ask(donor, state.pull.first_request()):
            self.donor_gone(donor, now_s)

    def donor_gone(self, donor: str, now_s: float) -> None:
        """Wait for a donor whose connection is gone to come back."""
        state = self._underway.get(donor)
        if state is not None and state.away_s is None:
            state.away_s = now_s

    def donor_silent(self, donor: str, now_s: float) -> None:
        """Wait for a donor that may be gone, as its other connection is, for a sign of life."""
        state = self._underway.get(donor)
        if state is not None and state.silent_s is None:
            state.silent_s = now_s

    def donor_back(self, donor: str) -> None:
        """Take note that a silent donor is there."""
        if state := self._underway.get(donor):
            state.silent_s = None

    def receive(self, donor: str, message: Answer | Busy, now_s: float) -> bool:
        """Take an answer in; False where no pull expects it."""
        state = self._underway.get(donor)
        if state is None or not (isinstance(message, Busy) or state.pull.expects(message)):
            return False
        state.heard(now_s)
        if isinstance(message, Busy):
            state.retry_s = now_s + message.retry_ms / 1000
            return True
        try:
            state.pull.receive(message)
        except WireError as error:
            self.lose(donor, str(error), error.check if isinstance(error, Unfit) else "")
            return True
        except MemoryError:
            self.lose(donor, "no memory for it on this device")
            return True
        state.moved_s, state.retry_s = now_s, None
        if state.pull.done:
            del self._underway[donor]
            self._tell(events.PullDone(state.pull, now_s - state.started_s))
        else:
            self._ask_more(donor, state, now_s)
        return True

    def lose(self, donor: str, reason: str, check: str = "") -> None:
        """Give a pull up, where it is so because the donor failed a check."""
        state = self._underway.pop(donor, None)
        if state is not None:
            self._tell(events.PullLost(donor, state.pull.round_index, reason, check))

    def lose_all(self, reason: str) -> None:
        """Give all pulls up."""
        for donor in list(self._underway):
            self.lose(donor, reason)

    def keep_time(self, now_s: float) -> None:
        """Give up what takes too long, ask again where it is time to."""
        for donor, state in list(self._underway.items()):
            if state.held_back:
                state.stands(now_s)
            reason = self._over(state, now_s)
            if reason:
                self.lose(donor, reason)
            elif state.away_s is not None:
                continue
            elif state.retry_s is not None:
                if now_s >= state.retry_s:
                    self.open(donor, now_s)
            elif state.pull.wants_more:
                self._ask_more(donor, state, now_s)

    def next_s(self, now_s: float) -> float | None:
        """Return in how many seconds `keep_time` has something to do; None = never."""
        waits = list(self._waits(now_s))
        return max(0.0, min(waits)) if waits else None

    def _waits(self, now_s: float) -> Iterator[float]:
        timeout_s = self._patience.timeout_s
        for state in self._underway.values():
            if state.away_s is not None:
                yield state.away_s + self._patience.resume_s - now_s
                continue
            if state.silent_s is not None:
                yield state.silent_s + self._patience.resume_s - now_s
            if state.retry_s is not None:
                yield state.retry_s - now_s
            else:
                if not state.held_back:
                    yield min(state.moved_s, state.mark_s) + timeout_s - now_s
                if state.pull.wants_more:
                    yield self._down.delay_s(now_s)

    def _over(self, state: _Underway, now_s: float) -> str | None:
        """Return why a pull is to be given up; measure its rate anew where it is not."""
        timeout_s = self._patience.timeout_s
        gone = [since_s for since_s in (state.away_s, state.silent_s) if since_s is not None]
        if gone and now_s - min(gone) >= self._patience.resume_s:
            return "connection closed"
        if state.away_s is not None:
            return None
        if state.retry_s is not None:
            return None
        if now_s - state.moved_s >= timeout_s:
            return f"no byte for {timeout_s:g} s"
        if now_s - state.mark_s >= timeout_s:
            rate = (state.pull.fetched_bytes - state.mark_bytes) / (now_s - state.mark_s)
            if rate < self._patience.least_bytes_s:
                return f"{rate:.0f} bytes/s over {timeout_s:g} s"
            state.mark_s, state.mark_bytes = now_s, state.pull.fetched_bytes
        return None

    def _ask_more(self, donor: str, state: _Underway, now_s: float) -> None:
        while state.pull.wants_more and self._down.delay_s(now_s) <= 0:
            request = state.pull.next_request()
            if not self._ask(donor, request):
                self.donor_gone(donor, now_s)
                return
            self._down.spend(request.length, now_s)
            # To the end: now it is another donor's turn.
            self._underway[donor] = self._underway.pop(donor)
