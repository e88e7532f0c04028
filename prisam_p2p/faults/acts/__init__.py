"""Acts: how each kind of fault is applied to a peer, verified and healed in a run."""

from __future__ import annotations

from importlib import import_module

from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.kinds import KINDS


def act_class(kind: str) -> type[Act]:
    """Return the act that the table of kinds names."""
    module, _, name = KINDS[kind].act.partition(":")
    found: type[Act] = getattr(import_module(module), name)
    return found
