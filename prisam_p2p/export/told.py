"""What a tracker was told of a run that goes on: nothing twice, and only what is over. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from prisam_p2p.export.points import ExportMarker, ExportPoint

News = tuple[list[ExportPoint], list[ExportMarker]]


@dataclass
class ToldPoints:
    """The points and markers that a tracker has."""

    _points: dict[tuple[int, str], ExportPoint] = field(default_factory=dict)
    _markers: set[ExportMarker] = field(default_factory=set)

    def news(
        self, points: Iterable[ExportPoint], markers: Iterable[ExportMarker], rounds: int
    ) -> News:
        """Return what of the first `rounds` rounds the tracker has not; from now on it has it."""
        fresh = [
            each
            for each in points
            if each.round < rounds and (each.round, each.tag) not in self._points
        ]
        fresh_markers = [
            each for each in markers if each.round < rounds and each not in self._markers
        ]
        self._points.update({(each.round, each.tag): each for each in fresh})
        self._markers.update(fresh_markers)
        return fresh, fresh_markers

    def agrees(self, points: Sequence[ExportPoint], markers: Sequence[ExportMarker]) -> bool:
        """Tell whether all that the tracker has is among these."""
        final = {(each.round, each.tag): each for each in points}
        same = all(final.get(key) == each for key, each in self._points.items())
        return same and self._markers <= set(markers)
