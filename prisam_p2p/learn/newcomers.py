"""The images of devices that take the place of others during a run. Pure.

All is decided before the run, from the split and a generator: equal arguments give equal images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from prisam_p2p.learn.data_in_time import Dealer, Pools
from prisam_p2p.learn.splits import PeerData

SAME: Literal["same"] = "same"
"""In place of a group: that of the peer whose place is taken."""


@dataclass(frozen=True)
class Newcomer:
    """A device that takes the place of another one.

    Attributes:
        peer: its id.
        leaves: the peer whose place it takes: one of the split, or an earlier newcomer.
        to: its data group; "same" is that of `leaves`, "next" the one after it.
    """

    peer: str
    leaves: str
    to: int | Literal["same", "next"]


def data_of_newcomers(
    split: Mapping[str, PeerData],
    newcomers: Sequence[Newcomer],
    pools: Pools,
    rng: np.random.Generator,
) -> dict[str, PeerData]:
    """Deal each newcomer images of its data group, as many as the peer had whose place it takes.

    They are images that nobody had yet, as long as a class has such: the reserve. Then those that
    were given out longest ago. An image keeps its purpose (training or validation), unless a class
    has too few images for that.

    Args:
        split: peer -> its images at the beginning; all peers have a group.
        newcomers: in the order in which they come.

    Returns:
        Newcomer -> its images.

    Raises:
        ConfigError: there are no test images of a group's classes.
    """
    dealer, had = Dealer(split, pools, rng), dict(split)
    for each in newcomers:
        before = had[each.leaves]
        assert before.group is not None, "checked before: a replacement needs data groups"
        had[each.peer] = dealer.deal(before, before.group if each.to == SAME else each.to)
    return {each.peer: had[each.peer] for each in newcomers}
