"""The pulls in progress: what each donor is asked for, and how each pull ends.

Whether a pull is over is decided here: every byte has arrived; its donor is lost, is too slow,
refused, or sent what does not fit; or the round's deadline for pulls has passed. (The content of
weights that arrived whole is checked afterwards, by `Pull.weights`.) Pure: time is a number.
"""

from __future__ import annotations

import math
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
    """When a pull is given up because it makes no progress.

    Attributes:
        timeout_s: a pull is given up after this long without a byte; its rate is measured over
            as long.
        least_bytes_s: a pull below this rate, in bytes per second, is given up.
        resume_s: a donor may be away for this long: its connection is closed, or it answers no
            heartbeat.
    """

    timeout_s: float
    least_bytes_s: float
    resume_s: float


@dataclass
class _Underway:
    """A pull and its times.

    Attributes:
        timeout_s: the pull is given up this long after its start.
        moved_s: when its last byte arrived.
        rated_from_s, rated_from_bytes: where the measurement of its rate began.
        away_s: since when its donor's connection is closed; None while it is open.
        silent_s: since when its donor answers no heartbeat and sends nothing; None otherwise.
        retry_s: when to ask a busy donor again; None if it is not busy.
    """

    pull: Pull
    started_s: float
    timeout_s: float
    moved_s: float
    rated_from_s: float
    rated_from_bytes: int = 0
    away_s: float | None = None
    silent_s: float | None = None
    retry_s: float | None = None

    @property
    def held_back(self) -> bool:
        """Whether the pull waits for this device's own download rate, not for the donor."""
        there = self.away_s is None and self.retry_s is None
        return there and not self.pull.waits_for_bytes

    def restart_clock(self, now_s: float) -> None:
        """Measure progress from now on: the donor did not cause the delay so far."""
        self.moved_s = self.rated_from_s = now_s
        self.rated_from_bytes = self.pull.fetched_bytes
        self.heard(now_s)

    def heard(self, now_s: float) -> None:
        """Note that the donor sent something."""
        if self.silent_s is not None:
            self.silent_s = now_s


class PullManager:
    """The pulls in progress, at most one for each donor.

    Args:
        down: the device's download rate, which delays requests.
        ask: sends a request to a donor; returns False if there is no connection.
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

    def start(self, pull: Pull, now_s: float, timeout_s: float = math.inf) -> None:
        """Begin a pull; `open` sends its first request.

        Args:
            timeout_s: the pull is given up after this long, whatever its progress.
        """
        self._underway[pull.donor] = _Underway(pull, now_s, timeout_s, now_s, now_s)

    def open(self, donor: str, now_s: float) -> None:
        """Ask what the donor offers; to be called when a connection to it is open."""
        state = self._underway.get(donor)
        if state is None:
            return
        state.away_s = state.silent_s = state.retry_s = None
        state.restart_clock(now_s)
        if not self._ask(donor, state.pull.first_request()):
            self.donor_gone(donor, now_s)

    def donor_gone(self, donor: str, now_s: float) -> None:
        """Wait for a donor whose connection is closed to come back."""
        state = self._underway.get(donor)
        if state is not None and state.away_s is None:
            state.away_s = now_s

    def donor_silent(self, donor: str, now_s: float) -> None:
        """Wait for a sign of life of a donor whose control connection is closed."""
        state = self._underway.get(donor)
        if state is not None and state.silent_s is None:
            state.silent_s = now_s

    def donor_back(self, donor: str) -> None:
        """Note that a silent donor is there again."""
        if state := self._underway.get(donor):
            state.silent_s = None

    def receive(self, donor: str, message: Answer | Busy, now_s: float) -> bool:
        """Process a donor's answer; return False if no pull expects it."""
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
            check = error.check if isinstance(error, Unfit) else ""
            self.lose(donor, str(error), now_s, check)
            return True
        except MemoryError:
            self.lose(donor, "no memory for it on this device", now_s)
            return True
        state.moved_s, state.retry_s = now_s, None
        if state.pull.done:
            del self._underway[donor]
            self._tell(events.PullDone(state.pull, now_s - state.started_s, state.started_s))
        else:
            self._ask_more(donor, state, now_s)
        return True

    def lose(self, donor: str, reason: str, now_s: float, check: str = "") -> None:
        """Give a pull up, if there is one.

        Args:
            check: the check on receipt that the donor failed; "" if it failed none.
        """
        state = self._underway.pop(donor, None)
        if state is not None:
            began_s, wall_s = state.started_s, now_s - state.started_s
            self._tell(
                events.PullLost(donor, state.pull.round_index, reason, check, began_s, wall_s)
            )

    def keep_time(self, now_s: float) -> None:
        """Give up pulls that take too long; send the requests that are due."""
        for donor, state in list(self._underway.items()):
            if state.held_back:
                state.restart_clock(now_s)
            reason = self._why_over(state, now_s)
            if reason:
                self.lose(donor, reason, now_s)
            elif state.away_s is not None:
                continue
            elif state.retry_s is not None:
                if now_s >= state.retry_s:
                    self.open(donor, now_s)
            elif state.pull.wants_more:
                self._ask_more(donor, state, now_s)

    def next_s(self, now_s: float) -> float | None:
        """Return after how many seconds `keep_time` is due; None if there is no pull."""
        waits = list(self._waits(now_s))
        return max(0.0, min(waits)) if waits else None

    def _waits(self, now_s: float) -> Iterator[float]:
        timeout_s = self._patience.timeout_s
        for state in self._underway.values():
            if state.timeout_s < math.inf:
                yield state.started_s + state.timeout_s - now_s
            if state.away_s is not None:
                yield state.away_s + self._patience.resume_s - now_s
                continue
            if state.silent_s is not None:
                yield state.silent_s + self._patience.resume_s - now_s
            if state.retry_s is not None:
                yield state.retry_s - now_s
            else:
                if not state.held_back:
                    yield min(state.moved_s, state.rated_from_s) + timeout_s - now_s
                if state.pull.wants_more:
                    yield self._down.delay_s(now_s)

    def _why_over(self, state: _Underway, now_s: float) -> str | None:
        """Return why a pull is given up, or None; begin the next measurement of its rate."""
        if now_s - state.started_s >= state.timeout_s:
            return f"not whole within {state.timeout_s:g} s"
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
        rated_s = now_s - state.rated_from_s
        if rated_s >= timeout_s:
            rate = (state.pull.fetched_bytes - state.rated_from_bytes) / rated_s
            if rate < self._patience.least_bytes_s:
                return f"{rate:.0f} bytes/s over {timeout_s:g} s"
            state.rated_from_s, state.rated_from_bytes = now_s, state.pull.fetched_bytes
        return None

    def _ask_more(self, donor: str, state: _Underway, now_s: float) -> None:
        while state.pull.wants_more and self._down.delay_s(now_s) <= 0:
            request = state.pull.next_request()
            if not self._ask(donor, request):
                self.donor_gone(donor, now_s)
                return
            self._down.spend(request.length, now_s)
            # Moved to the end: the next request goes to another donor.
            self._underway[donor] = self._underway.pop(donor)
