"""What a process's first round begins with: W0, a saved state, or a neighbor's latest weights.

docs/decisions/0020-survival.md says when each is of use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from prisam_p2p.control.spec import Incarnation, PeerSpec, Source
from prisam_p2p.core.entrywise import EntryLayout
from prisam_p2p.core.layout import Layout, Weights, widen
from prisam_p2p.core.masks import prune
from prisam_p2p.measure.state import Memory, Progress, kept_states, load_memory, load_state
from prisam_p2p.peer.neighbors import Neighbors
from prisam_p2p.peer.round_book import reached_by_half

MOST_DONORS = 3
"""At most this many neighbors are asked for weights; each that is gone costs a timeout."""


@dataclass(frozen=True)
class Beginning:
    """Where a process begins.

    Attributes:
        weights: None = W0.
        round_index: its first round.
        progress: of the saved state that `weights` are from; None if they are from elsewhere.
        donor: the neighbor that `weights` are from; None if they are from elsewhere.
        memory: of the saved state: what the algorithm kept besides the weights.
    """

    weights: Weights | None
    round_index: int
    progress: Progress | None = None
    donor: str | None = None
    memory: Memory = field(default_factory=dict)

    @property
    def source(self) -> Source:
        """Where the weights are from: fresh (W0), state or neighbor."""
        if self.weights is None:
            return "fresh"
        return "neighbor" if self.donor else "state"


def begin(
    spec: PeerSpec, incarnation: Incarnation, layout: Layout, neighbors: Neighbors | None
) -> Beginning:
    """Return what `incarnation` asks for; if that is unavailable, its saved state, then W0.

    Raises:
        ConfigError: the saved state is of another run.
    """
    latest = neighbors.latest_rounds() if neighbors and incarnation.late else {}
    if incarnation.source == "neighbor" and neighbors:
        found = _from_neighbor(spec, incarnation, layout, neighbors, latest)
        if found:
            return found
    states = {} if incarnation.source == "fresh" else kept_states(spec.state_path)
    fit = [t for t in states if incarnation.late or t <= incarnation.first_round]
    if not fit:
        return Beginning(None, _round(spec, incarnation, latest))
    weights, progress = load_state(states[max(fit)], layout)
    memory = load_memory(states[max(fit)])
    round_index = _round(spec, incarnation, latest, progress.rounds_done)
    return Beginning(weights, round_index, progress, memory=memory)


def by_freshness(latest: Mapping[str, int], rng: np.random.Generator) -> list[str]:
    """Return the neighbors in the order in which to ask them for weights: latest round first.

    Ties are in random order, so that peers that come back together ask different neighbors.
    """
    drawn = [str(neighbor) for neighbor in rng.permutation(sorted(latest))]
    return sorted(drawn, key=lambda neighbor: -latest[neighbor])


def _from_neighbor(
    spec: PeerSpec,
    incarnation: Incarnation,
    layout: Layout,
    neighbors: Neighbors,
    latest: Mapping[str, int],
) -> Beginning | None:
    rng = np.random.default_rng([spec.settings.seed, spec.index, incarnation.number])
    for donor in by_freshness(latest, rng)[:MOST_DONORS]:
        pulled = neighbors.pull(latest[donor], [donor], None).get(donor)
        if pulled is not None:
            own = _at_own_ratio(spec, layout, pulled)
            return Beginning(own, _round(spec, incarnation, neighbors.latest_rounds()), donor=donor)
    return None


def _at_own_ratio(spec: PeerSpec, layout: Layout, pulled: Weights) -> Weights:
    """Return a donor's weights at this device's prune ratio; entrywise masks have one density."""
    if isinstance(layout, EntryLayout):
        return pulled
    return prune(layout, widen(layout, pulled), pulled.mask, spec.device.prune_ratio)


def _round(
    spec: PeerSpec, incarnation: Incarnation, latest: Mapping[str, int], least: int = 0
) -> int:
    """Return the round that half of the neighbors have reached, within `least` and the last one."""
    there = reached_by_half(latest, spec.participation())
    return min(max(there, least, incarnation.first_round), spec.settings.rounds - 1)
