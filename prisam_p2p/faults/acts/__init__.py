"""The acts behind the kinds of fault that a run can do."""

from __future__ import annotations

from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.acts.byzantine import Rude
from prisam_p2p.faults.acts.ending import Ending
from prisam_p2p.faults.acts.full_disk import FullDisk
from prisam_p2p.faults.acts.linking import Linking
from prisam_p2p.faults.acts.memory import Memory
from prisam_p2p.faults.acts.messaging import Messaging
from prisam_p2p.faults.acts.pausing import Joining, Pausing
from prisam_p2p.faults.acts.slowing import Slowing
from prisam_p2p.faults.hands import Hands
from prisam_p2p.faults.kinds import REPLACING
from prisam_p2p.faults.link_faults import Links

ON_LINKS = frozenset({"cut", "partition", "isolate", "flap", "shape"})
_KINDS: dict[type[Act], frozenset[str]] = {
    Ending: frozenset({"kill", "term", "leave", "restart"}),
    Pausing: frozenset({"pause"}),
    Joining: frozenset({"join"}),
    Slowing: frozenset({"slow"}),
    Memory: frozenset({"memory"}),
    FullDisk: frozenset({"full-disk"}),
    Linking: ON_LINKS,
    Messaging: frozenset({"drop", "delay", "duplicate", "reorder", "hold", "corrupt"}),
    Rude: REPLACING,
}
SUPPORTED = frozenset().union(*_KINDS.values())
"""Kinds that a run can do."""


def acts_with(hands: Hands, links: Links | None) -> dict[str, Act]:
    """Return kind -> its act; kinds that are done alike share one."""
    return {
        kind: act
        for make, kinds in _KINDS.items()
        for act in [make(hands, links)]
        for kind in kinds
    }
