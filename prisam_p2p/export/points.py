"""What a tracker gets: a run's numbers and remarks, each with its time, its round and its tag."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True, order=True)
class ExportPoint:
    """A number.

    Attributes:
        t_s: seconds of the run's clock at which it was complete.
        round: from 0.
        tag: what it is, as words between slashes: accuracy/aggregated/mean.
    """

    t_s: float
    round: int
    tag: str
    value: float


@dataclass(frozen=True, order=True)
class ExportMarker:
    """A remark, such as what a fault did; see ExportPoint."""

    t_s: float
    round: int
    tag: str
    text: str


@dataclass(frozen=True)
class ExportedRun:
    """A run as its folder tells it.

    Attributes:
        name: of its folder.
        run_id: tells it from all other runs, and stays when it is resumed.
        began_s: when its clock was 0, in seconds since 1970.
        status: completed, running, ..
        headline: its result in a sentence; "" while it is not known.
        settings: name -> a number, text, flag, or None.
        points: by round, then tag.
        markers: by round, then tag.
    """

    name: str
    run_id: str
    began_s: float
    status: str
    headline: str
    settings: Mapping[str, Any]
    points: Sequence[ExportPoint]
    markers: Sequence[ExportMarker]

    @property
    def n_rounds(self) -> int:
        """Number of rounds of which there is a point or a marker."""
        last = max((each.round for each in self.points), default=-1)
        return max([last, *(each.round for each in self.markers)]) + 1


def tag_word(name: str, number: int) -> str:
    """Return a name as a word of a tag, which every tracker takes.

    Args:
        name: of a peer or a fault; may come from anybody.
        number: stands for a name that is no such word; no word looks like what is returned then.
    """
    return name if _SAFE.fullmatch(name) else f"no {number}"
