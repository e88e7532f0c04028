"""The uploads under way: who is offered weights, and which chunk goes next. Pure: time is a number.

A requester asks for weights, and is offered a snapshot if an upload slot is free. It then asks for
chunks, a window of them ahead. They go in the order in which they were asked for, as fast as the
device's upload rate permits, unless a stop (upload_stops.py) holds an upload.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prisam_p2p.control.spec import Stop
from prisam_p2p.transport.pacing import Pacer
from prisam_p2p.transport.pull import WINDOW_CHUNKS, Answer
from prisam_p2p.transport.servings import Serving, Servings
from prisam_p2p.transport.sessions import Session
from prisam_p2p.transport.snapshots import SnapshotStore
from prisam_p2p.transport.upload_stops import StopReached, UploadStops
from prisam_p2p.wire.messages import Busy, Chunk, ChunkRequest, WeightsRequest

RETRY_MS = 250
"""A requester that found no free slot may ask again after this."""

OFFER_TIMEOUT_S = 2.0
"""The slot of an offer is free again if no chunk is asked for within this."""


@dataclass(frozen=True, slots=True)
class Due:
    """An answer to a request for a chunk, to be sent now."""

    requester: Session
    answer: Answer


@dataclass(frozen=True, slots=True)
class _Owed:
    requester: Session
    request: ChunkRequest


class Uploads:
    """What one donor owes to its requesters, each known by the session that it asks by.

    Args:
        store: the weights on offer.
        up: the device's upload rate.
        n_slots: how many requesters are served at the same time; others are told to wait.
        idle_s: a requester that asks for nothing for this long loses its slot.
        served: told of each upload that has ended.
    """

    def __init__(
        self,
        store: SnapshotStore,
        up: Pacer,
        n_slots: int,
        idle_s: float,
        served: Callable[[Serving], None] = lambda _serving: None,
    ) -> None:
        self._store, self._up, self._idle_s = store, up, idle_s
        self._slots, self._servings = _Slots(n_slots), Servings(served)
        self._owed: deque[_Owed] = deque()
        self.stop_at((), lambda _reached: None)

    def offer(self, requester: Session, request: WeightsRequest, now_s: float) -> Answer | Busy:
        """Return the answer to a request for weights, which begins a new upload."""
        self.drop_requests(requester)
        self._servings.asked(requester, request.round_index, self._store.latest_round, now_s)
        offered, slots = self._store.has(request), self._slots
        if offered and not slots.take(requester.sender, now_s, OFFER_TIMEOUT_S):
            return Busy(RETRY_MS)
        (self._servings.offered if offered else self._servings.failed)(requester, now_s)
        return self._store.answer(request)

    def owe(self, requester: Session, request: ChunkRequest, now_s: float) -> bool:
        """Note a request for a chunk; False where it exceeds the requester's window."""
        ahead = sum(owed.requester.sender == requester.sender for owed in self._owed)
        if ahead >= WINDOW_CHUNKS:
            return False
        # An upload that has begun goes on, even where its slot expired and is another's by now.
        self._slots.take(requester.sender, now_s, self._idle_s)
        self._owed.append(_Owed(requester, request))
        return True

    def next_due(self, now_s: float) -> Due | None:
        """Return the next answer, which is owed no more; None where nothing may go now."""
        owed = self._first_owed()
        if owed is None or self._up.delay_s(now_s) > 0:
            return None
        self._owed.remove(owed)
        return Due(owed.requester, self._store.answer(owed.request))

    def sent(self, due: Due, now_s: float) -> None:
        """Note that an answer was sent: it takes its time, and the last chunk frees the slot."""
        if isinstance(due.answer, Chunk):
            n_bytes, last = len(due.answer.data), self._store.ends_at(due.answer)
            self._up.spend(n_bytes, now_s)
            self._servings.sent(due.requester, n_bytes, last, now_s)
            if last:
                self._slots.free(due.requester.sender)
        else:
            self._servings.failed(due.requester, now_s)

    def next_s(self, now_s: float) -> float | None:
        """Return in how many seconds there is something due; None = never."""
        return self._up.delay_s(now_s) if self._first_owed() else None

    def drop_requests(self, requester: Session) -> None:
        """Forget which chunks `requester` asked for."""
        self._owed = deque(o for o in self._owed if o.requester.sender != requester.sender)

    def left(self, requester: Session) -> None:
        """Forget a requester whose session ended: what it asked for, and its slot."""
        self.drop_requests(requester)
        self._slots.free(requester.sender)
        self._servings.left(requester)

    def close(self) -> None:
        """Tell of the uploads that have not ended: this peer leaves."""
        self._servings.close()

    def stop_at(self, stops: Iterable[Stop], tell: Callable[[StopReached], None]) -> None:
        """Let uploads wait at `stops`, in place of earlier ones; `tell` hears of each reached."""
        self._stops = UploadStops(stops, self._store.find, tell)

    def go_on(self, stop: Stop) -> None:
        """Let the upload go on that waits at `stop`."""
        self._stops.go_on(stop)

    def _first_owed(self) -> _Owed | None:
        """Return what to send next; None where nothing is owed, or every upload waits."""
        hold = self._stops.hold
        return next((o for o in self._owed if not hold(o.requester.neighbor, o.request)), None)


class _Slots:
    """Slots for `limit` requesters at a time, so that each upload is soon done."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._until_s: dict[bytes, float] = {}

    def take(self, who: bytes, now_s: float, for_s: float) -> bool:
        """Give `who` a slot for `for_s` from now, or renew its slot; False where all are taken."""
        self._until_s = {w: until for w, until in self._until_s.items() if until > now_s}
        if who not in self._until_s and len(self._until_s) >= self._limit:
            return False
        self._until_s[who] = now_s + for_s
        return True

    def free(self, who: bytes) -> None:
        """Free the slot of `who`, if it has one."""
        self._until_s.pop(who, None)
