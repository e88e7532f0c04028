"""cut, partition, isolate, flap, shape: the network changes the links, all of a fault at once."""

from __future__ import annotations

from prisam_p2p.emulate.faults.acts.act import Act
from prisam_p2p.emulate.faults.hands import Hands
from prisam_p2p.emulate.faults.link_faults import LinkFaults
from prisam_p2p.emulate.faults.part import Part


class Linking(Act):
    """The links' state is computed from all active faults; evidence is the kernel's counts."""

    def __init__(self, hands: Hands, links: LinkFaults | None) -> None:
        super().__init__(hands, links)
        self._touched: dict[str, int] = {}

    def apply(self, part: Part, now_s: float) -> bool:
        """See Act. The links are the same for all peers at their ends."""
        assert self._links is not None, "checked before the run began"
        self._links.apply(part.occurrence, now_s)
        return True

    def look(self, part: Part, now_s: float) -> str | None:
        """See Act. Known once it is healed: to read the counts takes a while."""
        touched = self._touched.get(part.occurrence.id)
        return f"{touched} packets dropped, delayed or reset" if touched else None

    def heal(self, part: Part, now_s: float) -> bool:
        """See Act."""
        assert self._links is not None
        name = part.occurrence.id
        if name not in self._touched:
            self._touched[name] = self._links.heal(part.occurrence, now_s)
        return True
