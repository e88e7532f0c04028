"""Count the multiply-accumulates (MACs) of a peer's training, from its journal. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from prisam_p2p.report.run_folder import Line

FORWARD_AND_BACKWARD = 3
"""A backward pass takes about twice the MACs of a forward pass: gradients of inputs and weights."""


def training_macs(trained: Iterable[Line], compared: Iterable[Line]) -> int | None:
    """Return the MACs of all training, and of evaluations that an algorithm needs to choose.

    Args:
        trained: records `trained` and `probed`.
        compared: records `compared`: forward passes only.

    Returns:
        None if nothing was trained, or if a record lacks `macs` (older releases).
    """
    lines = list(trained)
    if not lines or any(line.get("macs") is None for line in lines):
        return None
    passes = sum(FORWARD_AND_BACKWARD * line["images"] * line["macs"] for line in lines)
    return int(passes + sum(line["macs"] for line in compared))
