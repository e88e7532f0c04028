"""With which round a run goes on whose peers were not all equally far. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping


def first_rounds(kept: Mapping[str, Collection[int]], rounds: int) -> dict[str, int]:
    """Return the round that each peer begins with.

    That is the one that most can begin with, the latest of those: as a rule that is all, for
    neighbors are a round apart at most and each kept its last two states, and then nobody's mask is
    missing in any round. Who is further behind (it was away, or lost its state) begins there too,
    with what it has; who has no state that old begins with its oldest.

    Args:
        kept: peer -> rounds that it has a state for; who has none begins with W0.
        rounds: of the run; a peer that has done them all does the last one again, for the others.
    """
    able = {peer: {t for t in states if t < rounds} | _w0(states) for peer, states in kept.items()}
    counts = Counter(t for each in able.values() for t in each)
    start = max(counts, key=lambda t: (counts[t], t), default=0)
    return {
        peer: start if start in able[peer] or not states else max(start, min(states))
        for peer, states in kept.items()
    }


def _w0(states: Collection[int]) -> set[int]:
    """Return {0} where round 0 is no more than one round ago."""
    return {0} if max(states, default=0) <= 1 else set()
