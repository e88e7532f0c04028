"""Events of the Trace Event Format ("Chrome JSON"), which Perfetto reads, too.

A process of the trace has threads, which are its tracks: one process for what belongs to no peer,
one with a thread for each peer's phases, so that they stand below each other, and one for each peer
with its transfers. Slices of one thread must nest or lie apart, so what goes on at once is dealt to
lanes. Times are whole microseconds of the run's clock.

Source: "Trace Event Format", Google, 2016 (the document that chrome://tracing links to).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Event = dict[str, Any]
Arguments = Mapping[str, Any]

_LANES = 100_000
"""More than a process has threads: their numbers differ between processes, as Perfetto wants."""


class Track(NamedTuple):
    """A thread of the trace: process and thread number."""

    process: int
    thread: int

    @classmethod
    def of(cls, process: int, lane: int) -> Track:
        """Return the track of a process's lane; lane 0 is its first."""
        return cls(process, process * _LANES + lane)


def microseconds(seconds: float) -> int:
    """Return a time of the run's clock in the trace's unit."""
    return round(seconds * 1e6)


def process_name(process: int, name: str) -> list[Event]:
    """Return what names a process, and sorts it by its number."""
    return [
        _about(Track.of(process, 0), "process_name", {"name": name}),
        _about(Track.of(process, 0), "process_sort_index", {"sort_index": process}),
    ]


def track_name(track: Track, name: str) -> list[Event]:
    """Return what names a thread, and sorts it by its number."""
    return [
        _about(track, "thread_name", {"name": name}),
        _about(track, "thread_sort_index", {"sort_index": track.thread}),
    ]


def slice_of(
    track: Track, name: str, category: str, begin_s: float, end_s: float, arguments: Arguments
) -> Event:
    """Return a slice: something that lasts."""
    begin = microseconds(begin_s)
    return {
        **{"ph": "X", "name": name, "cat": category, "ts": begin},
        **{"dur": max(0, microseconds(end_s) - begin), **track_of(track), "args": dict(arguments)},
    }


def instant(track: Track, name: str, category: str, at_s: float, arguments: Arguments) -> Event:
    """Return a mark on a track; the network's are marks over all of the trace."""
    scope = "g" if track.process == NETWORK else "t"
    return {
        **{"ph": "i", "name": name, "cat": category, "ts": microseconds(at_s), "s": scope},
        **{**track_of(track), "args": dict(arguments)},
    }


def counter(process: int, name: str, at_s: float, value: float) -> Event:
    """Return a value that a counter has from now on."""
    track = Track.of(process, 0)
    return {
        **{"ph": "C", "name": name, "ts": microseconds(at_s), **track_of(track)},
        **{"args": {"value": value}},
    }


def arrow(
    number: int, name: str, begin: tuple[Track, float], end: tuple[Track, float]
) -> list[Event]:
    """Return an arrow between the slices at two places (track, seconds); it never points back."""
    (from_track, from_s), (to_track, to_s) = begin, end
    common = {"name": name, "cat": name, "id": number}
    begin_us = microseconds(from_s)
    end_us = max(begin_us, microseconds(to_s))
    return [
        {"ph": "s", **common, "ts": begin_us, **track_of(from_track)},
        {"ph": "f", "bp": "e", **common, "ts": end_us, **track_of(to_track)},
    ]


NETWORK, PHASES = 1, 2
"""The processes of what belongs to no peer, and of the peers' phases. Perfetto takes 0 for the
idle one."""


def of_peer(peer: int) -> int:
    """Return the process of a peer's transfers, by its row in the page's table `peers`."""
    return PHASES + 1 + peer


def phases_of(peer: int) -> Track:
    """Return the track of a peer's phases."""
    return Track(PHASES, PHASES * _LANES + peer)


def lanes(intervals: Iterable[tuple[float, float]]) -> list[int]:
    """Return a lane for each interval so that those of one lane do not overlap.

    Args:
        intervals: (begin, end), ascending.
    """
    free: list[float] = []
    found = []
    for begin, end in intervals:
        lane = next((lane for lane, since in enumerate(free) if since <= begin), len(free))
        free[lane : lane + 1] = [end]
        found.append(lane)
    return found


def track_of(track: Track) -> Event:
    """Return the fields that place an event."""
    return {"pid": track.process, "tid": track.thread}


def _about(track: Track, what: str, arguments: Arguments) -> Event:
    return {"ph": "M", "name": what, **track_of(track), "args": dict(arguments)}
