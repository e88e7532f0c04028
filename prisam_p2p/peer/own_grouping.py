"""Groupings of users' code: a function of the masks that a peer heard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.grouping import Groups, numbered
from prisam_p2p.core.layout import Mask
from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions.calling import user_code

OPTION = "--grouping"

OwnGrouping = Callable[[Mapping[str, Mask], str, int, np.random.Generator], Mapping[str, int]]
"""(peer -> mask, shape (bits,), True = kept; this peer; k; generator) -> peer -> number of a group.

The masks are those that this peer heard, and its own. The generator is the same at all peers in a
round, so that peers that heard the same can group alike.
"""


def own_groups(
    function: OwnGrouping,
    name: str,
    masks: Mapping[str, PackedMask],
    me: str,
    k: int,
    seeds: Sequence[int],
) -> Groups:
    """Return the groups that users' code finds.

    Args:
        name: as the user named the code.
        k: the setting `clusters`.
        seeds: of the generator: the run's and the round.

    Raises:
        ConfigError: the code fails, or does not give every peer of `masks` a number.
    """
    peers = tuple(sorted(masks))
    heard = {peer: masks[peer].unpack() for peer in peers}
    with user_code(OPTION, name):
        found: Any = function(heard, me, k, np.random.default_rng(seeds))
        labels = dict(found)
    if set(labels) != set(peers) or not all(_is_number(x) for x in labels.values()):
        right = f"code that gives each of {', '.join(peers)} the number of its group, and no other"
        raise ConfigError(OPTION, "", name, right)
    return numbered(peers, [int(labels[peer]) for peer in peers])


def _is_number(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
