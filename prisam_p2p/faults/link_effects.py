"""What a link should be like, from all faults that are active on it.

The state is computed anew from the set of active faults, so healing one never undoes another, and
neither order nor history matters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from prisam_p2p.faults.cast import Link
from prisam_p2p.faults.fault_plan import Occurrence
from prisam_p2p.plan.link_properties import Cut, LinkState

_SILENT_FIRST: tuple[Cut, ...] = ("drop", "reject", "reset")


def fold(base: Mapping[Link, LinkState], active: Iterable[Occurrence]) -> dict[Link, LinkState]:
    """Return the desired state of every link of `base`.

    Args:
        base: the links without faults.
        active: applied and not healed; one given twice counts once. A flap is active while it
            cuts (see `flap_cuts`).

    Raises:
        KeyError: an occurrence names a link that `base` has not.
    """
    layers: dict[Link, list[LinkState]] = {link: [state] for link, state in base.items()}
    unique = {occurrence.id: occurrence for occurrence in active}
    for occurrence in unique.values():
        for link in occurrence.links:
            layers[link].append(effect(occurrence))
    return {link: combined(each) for link, each in layers.items()}


def combined(layers: Sequence[LinkState]) -> LinkState:
    """Return all at once: a cut wins, rate = min, delay and jitter = sum, loss = 1 - prod(1 - p).

    Of two cuts the more silent one holds: what is dropped nobody can reject. Sums and products are
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


def effect(occurrence: Occurrence) -> LinkState:
    """Return what the occurrence does to its links; nothing where it is no fault of links."""
    parameters = occurrence.parameters
    if occurrence.kind == "shape":
        return LinkState(**parameters)  # type: ignore[arg-type]
    if occurrence.kind == "cut":
        return LinkState(cut=parameters["how"])  # type: ignore[arg-type]
    if occurrence.kind in ("partition", "isolate", "flap"):
        return LinkState(cut="drop")
    return LinkState()


def flap_cuts(occurrence: Occurrence, since_s: float) -> bool:
    """Tell whether a flap cuts its links `since_s` seconds after it was applied."""
    period_s, duty = (float(occurrence.parameters[k]) for k in ("period_s", "duty"))  # type: ignore[arg-type]
    return since_s % period_s < duty * period_s
