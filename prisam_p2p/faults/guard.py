"""The guard: never more peers down at a time than the scenario lets.

After the guards of Jepsen's nemeses, which leave a majority standing. It reckons with moments
(round, phase) alone; what the clock or a transfer triggers is looked at again when it happens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from prisam_p2p.faults.draft import Draft
from prisam_p2p.faults.fault_plan import AtRound, HealAtRound, HealNever
from prisam_p2p.faults.kinds import STOPPING
from prisam_p2p.faults.link_kinds import Isolate
from prisam_p2p.faults.timing import PHASES

Moment = tuple[float, int]
"""A round and the place of a phase in it."""
START, END = (-1.0, 0), (math.inf, 0)


@dataclass(frozen=True, slots=True)
class Fit:
    """Whom the guard leaves: the peers, ascending, and how many it left out, and why."""

    peers: tuple[str, ...]
    already_down: int = 0
    cut_to_fit: int = 0


@dataclass
class _Downs:
    """Who is down from when to when, the second moment excluded."""

    spans: list[tuple[str, Moment, Moment]] = field(default_factory=list)

    def at(self, moment: Moment) -> set[str]:
        return {peer for peer, since, until in self.spans if since <= moment < until}


def fit(drafts: Sequence[Draft], limit: int) -> list[Fit]:
    """Return whom each draft may hit, in the order of the drafts.

    They are gone through in the order of time, at the same moment in the order given. A peer that
    is down cannot come to its trigger: it is left out, whatever the fault. Of the others, as many
    go down as `limit` leaves room for, the first drawn first.
    """
    fits, downs = [Fit(tuple(sorted(draft.peers))) for draft in drafts], _Downs()
    for i in sorted(range(len(drafts)), key=lambda i: _since(drafts[i])):
        if drafts[i].peers and _since(drafts[i]) < END:
            fits[i] = _fit_one(drafts[i], downs, limit)
    return fits


def _takes_down(draft: Draft) -> bool:
    """Tell whether its peers are down for a while."""
    return draft.fault.kind in STOPPING or draft.fault.kind == "join"


def _fit_one(draft: Draft, downs: _Downs, limit: int) -> Fit:
    if isinstance(draft.fault, Isolate):  # done to links: it holds for a peer that is down, too
        return Fit(tuple(sorted(draft.peers)))
    since = _since(draft)
    down = downs.at(since)
    up = [peer for peer in draft.peers if peer not in down]
    kept = up
    if _takes_down(draft):
        kept = up[: max(0, limit - len(down))]
        downs.spans.extend((peer, since, _until(draft)) for peer in kept)
    return Fit(tuple(sorted(kept)), len(draft.peers) - len(up), len(up) - len(kept))


def _since(draft: Draft) -> Moment:
    """Return when it comes, END where the plan does not know; who joins is down from the start."""
    if draft.fault.kind == "join":
        return START
    return _trigger(draft)


def _trigger(draft: Draft) -> Moment:
    if isinstance(draft.trigger, AtRound):
        return draft.trigger.round, PHASES.index(draft.trigger.phase)
    return END


def _until(draft: Draft) -> Moment:
    """Return when its peers are up again; seconds are taken to end with the round."""
    if draft.fault.kind == "join":
        return _trigger(draft)
    if isinstance(draft.heal, HealAtRound):
        return draft.heal.round, 0
    if isinstance(draft.heal, HealNever):
        return END
    return _trigger(draft)[0] + 1, 0
