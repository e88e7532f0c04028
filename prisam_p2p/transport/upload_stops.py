"""Where uploads wait for the launcher, so that its faults hit them at a known byte. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prisam_p2p.control.spec import Stop
from prisam_p2p.transport.snapshots import Snapshot
from prisam_p2p.wire.messages import ChunkRequest


@dataclass(frozen=True, slots=True)
class StopReached:
    """An upload came to a stop.

    Attributes:
        offset: how many of its `n_bytes` were sent; the next chunk would pass the stop.
    """

    stop: Stop
    requester: str
    round_index: int
    offset: int
    n_bytes: int


class UploadStops:
    """The stops of one donor. At each, the first upload that comes to it waits, once.

    An upload waits before the chunk that would pass the stop's share, and at the latest before its
    last chunk: an upload that waits is never complete.

    Args:
        find: returns the snapshot of a digest, if it is still offered.
        tell: told of each stop that is reached.
    """

    def __init__(
        self,
        stops: Iterable[Stop],
        find: Callable[[bytes], Snapshot | None],
        tell: Callable[[StopReached], None],
    ) -> None:
        self._ahead, self._find, self._tell = list(stops), find, tell
        self._waiting: dict[Stop, str] = {}

    def hold(self, requester: str, request: ChunkRequest) -> bool:
        """Tell whether the upload to `requester` waits, having come to a stop now or before."""
        snapshot = self._find(request.digest) if self._ahead else None
        if snapshot is not None:
            self._reach(requester, request, snapshot)
        return requester in self._waiting.values()

    def go_on(self, stop: Stop) -> None:
        """Let the upload go on that waits at `stop`."""
        self._waiting.pop(stop, None)

    def _reach(self, requester: str, request: ChunkRequest, snapshot: Snapshot) -> None:
        n_bytes, round_index = len(snapshot.buffer), snapshot.offer.round_index
        end = request.offset + request.length
        for stop in list(self._ahead):
            stop_round, share = stop
            passes = end >= n_bytes or end > share * n_bytes
            if passes and stop_round in (None, round_index):
                self._ahead.remove(stop)
                self._waiting[stop] = requester
                self._tell(StopReached(stop, requester, round_index, request.offset, n_bytes))
