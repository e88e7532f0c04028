"""Count the multiply-accumulates (MACs) of a peer's training, from its journal. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from prisam_p2p.report.run_folder import Line


def training_macs(trained: Iterable[Line], for_choices: Iterable[Line]) -> int | None:
    """Return the MACs of all training, and of passes that an algorithm needs to choose.

    Args:
        trained: records `trained` and `probed`.
        for_choices: records `compared` and `differentiated`.

    Returns:
        None if nothing was trained, or if a record lacks `training_macs` (older releases).
    """
    lines = list(trained)
    if not lines or any(line.get("training_macs") is None for line in lines):
        return None
    return int(sum(x["training_macs"] for x in lines) + sum(x["macs"] for x in for_choices))
