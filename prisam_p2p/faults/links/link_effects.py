"""The state of each link under all faults that are active on it.

The state is computed anew from the set of active faults, so healing one never undoes another, and
neither order nor history matters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from prisam_p2p.faults.fault_plan import Occurrence
from prisam_p2p.plan.link_properties import CLEAR, Cut, Link, LinkState

_SILENT_FIRST: tuple[Cut, ...] = ("drop", "reject", "reset")


def fold(base: Mapping[Link, LinkState], active: Iterable[Occurrence]) -> dict[Link, LinkState]:
    """Return the desired state of every link in `base`.

    Args:
        base: the links without faults.
        active: applied, not healed, and with an effect now; one given twice counts once.

    Raises:
        KeyError: an occurrence names a link that is not in `base`.
    """
    layers: dict[Link, list[LinkState]] = {link: [state] for link, state in base.items()}
    unique = {occurrence.id: occurrence for occurrence in active}
    for occurrence in unique.values():
        for link in occurrence.links:
            layers[link].append(effect(occurrence))
    return {link: combined(each) for link, each in layers.items()}


def combined(layers: Sequence[LinkState]) -> LinkState:
    """Combine all layers: a cut wins, rate = min, delay, jitter = sum, loss = 1 - prod(1 - p).

    Of two cuts the more silent one wins: a dropped packet cannot be rejected. Sums and products are
    exact or sorted, so the order of the layers does not matter to the last bit.
    """
    rates = [each.rate_mbit_s for each in layers if each.rate_mbit_s is not None]
    cuts = [each.cut for each in layers if each.cut is not None]
    lossy = sorted(each.loss for each in layers if each.loss > 0)
    return LinkState(
        rate_mbit_s=min(rates, default=None),
        delay_ms=math.fsum(each.delay_ms for each in layers),
        jitter_ms=math.fsum(each.jitter_ms for each in layers),
        loss=lossy[0] if len(lossy) == 1 else 1.0 - math.prod(1.0 - p for p in lossy),
        cut=min(cuts, key=_SILENT_FIRST.index, default=None),
    )


def effect(occurrence: Occurrence, since_s: float = 0.0) -> LinkState:
    """Return what the occurrence does to its links; CLEAR if it is not a fault of links.

    Args:
        since_s: seconds since it was applied; a flap cuts its links from its application on.
    """
    made = occurrence.traits.link_effect
    return made(occurrence.parameters, since_s) if made else CLEAR
