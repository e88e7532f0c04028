"""The guard: never more peers are down at a time than the scenario allows.

As in Jepsen's nemeses, which keep a majority alive. The guard knows triggers at a round and phase
only; faults that the clock or a transfer triggers are checked again when they are due.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from prisam_p2p.faults.compiler.draft import Draft
from prisam_p2p.faults.fault_plan import AtRound, HealAtRound, HealNever
from prisam_p2p.faults.scenario.timing import PHASES

Moment = tuple[float, int]
"""A round, and the index of a phase in PHASES."""
START, END = (-1.0, 0), (math.inf, 0)


@dataclass(frozen=True, slots=True)
class Fit:
    """The peers that an occurrence may hit, ascending, and how many were left out, and why."""

    peers: tuple[str, ...]
    already_down: int = 0
    cut_to_fit: int = 0


@dataclass
class _DownTimes:
    """The peers that are down, from a moment until another one, which is excluded."""

    spans: list[tuple[str, Moment, Moment]] = field(default_factory=list)
    replaced: list[tuple[str, Moment]] = field(default_factory=list)

    def gone(self, moment: Moment) -> set[str]:
        """Return the peers that have left for good; others have their places, so none is lost."""
        return {peer for peer, since in self.replaced if since <= moment}

    def at(self, moment: Moment) -> set[str]:
        return {peer for peer, since, until in self.spans if since <= moment < until}


def fit(drafts: Sequence[Draft], limit: int) -> list[Fit]:
    """Return the peers that each draft may hit, in the order of the drafts.

    Drafts are processed in the order of time, and those of one moment in the order given. A peer
    that is down cannot reach its trigger and is left out, whatever the fault. Of the others, as
    many go down as `limit` allows, the first drawn first.
    """
    fits, downs = [Fit(tuple(sorted(draft.peers))) for draft in drafts], _DownTimes()
    for i in sorted(range(len(drafts)), key=lambda i: _since(drafts[i])):
        if drafts[i].peers and _since(drafts[i]) < END:
            fits[i] = _fit_one(drafts[i], downs, limit)
    return fits


def _takes_down(draft: Draft) -> bool:
    """Tell whether its peers are down for some time."""
    return draft.traits.takes_down or draft.traits.starts_absent


def _fit_one(draft: Draft, downs: _DownTimes, limit: int) -> Fit:
    if draft.traits.on_links or draft.traits.changes_data:  # so can those of a peer that is down
        return Fit(tuple(sorted(draft.peers)))
    since = _since(draft)
    down = downs.at(since)
    if draft.traits.replaces:
        kept = [peer for peer in draft.peers if peer not in down]
        downs.replaced.extend((peer, since) for peer in kept)
        return Fit(tuple(sorted(kept)), len(draft.peers) - len(kept))
    unable = down | downs.gone(since)
    up = [peer for peer in draft.peers if peer not in unable]
    kept = up
    if _takes_down(draft):
        room = max(0, limit - len(down))
        kept = up[:room]
        if draft.traits.all_or_none and len(up) > room:
            kept = []
        downs.spans.extend((peer, since, _until(draft)) for peer in kept)
    return Fit(tuple(sorted(kept)), len(draft.peers) - len(up), len(up) - len(kept))


def _since(draft: Draft) -> Moment:
    """Return when its peers go down: END if unknown, START for peers that are absent until then."""
    if draft.traits.starts_absent and not draft.traits.replaces:
        return START
    return _trigger(draft)


def _trigger(draft: Draft) -> Moment:
    if isinstance(draft.trigger, AtRound):
        return draft.trigger.round, PHASES.index(draft.trigger.phase)
    return END


def _until(draft: Draft) -> Moment:
    """Return when its peers are up again; a heal in seconds counts as the end of the round."""
    if draft.traits.starts_absent:
        return _trigger(draft)
    if isinstance(draft.heal, HealAtRound):
        return draft.heal.round, 0
    if isinstance(draft.heal, HealNever):
        return END
    return _trigger(draft)[0] + 1, 0
