"""What peers went on without, though no fault took it: who was only slow, or on a bad link.

Such a run depends on how fast its processes were, and another one may come to something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from prisam_p2p.report.checks import occurrences
from prisam_p2p.report.run_folder import RunFolder


def left_out(run: RunFolder) -> dict[str, int]:
    """Return how many "masks" were missed and "pulls" lost between peers that no fault concerns.

    What a fault did to others may pass on: who waited for one of them is late itself, and counts.
    """
    hit = {
        peer
        for each in occurrences(run)
        for peer in chain(each["peers"], chain.from_iterable(each["links"]))
    }
    peers = [peer for peer in run.peers if peer not in hit]
    masks = [gone for p in peers for line in run.records(p, "heard") for gone in line["missing"]]
    pulls = [line["donor"] for p in peers for line in run.records(p, "pull_failed")]
    return {
        what: sum(other not in hit for other in others)
        for what, others in (("masks", masks), ("pulls", pulls))
    }


def left_out_lines(left: Mapping[str, int]) -> list[str]:
    """Return that in one line, none where nothing was left out."""
    if not any(left.values()):
        return []
    told = f"{left['masks']} masks and {left['pulls']} pulls"
    return [f"left out, and no fault to blame: {told}; another run may come to something else"]
