"""cut, partition, isolate, flap, shape: the links of a run change, all of a fault at once."""

from __future__ import annotations

from prisam_p2p.control.messages import Report
from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.firing import Part


class Linking(Act):
    """The links are the same for all peers at their ends, and so is the evidence."""

    def apply(self, part: Part, now_s: float) -> bool:
        """See Act."""
        assert self._links is not None, "checked before the run began"
        self._links.apply(part.occurrence, now_s)
        return True

    def look(self, part: Part, now_s: float) -> str | None:
        """See Act. Known once it is healed: to read the counts takes a while."""
        assert self._links is not None
        touched = self._links.touched(part.occurrence.id)
        return f"{touched} {self._links.TOUCHES}" if touched else None

    def told(self, part: Part, report: Report) -> str | None:
        """See Act."""
        return self.look(part, 0.0)

    def heal(self, part: Part, now_s: float) -> bool:
        """See Act."""
        assert self._links is not None
        self._links.heal(part.occurrence, now_s)
        return True
