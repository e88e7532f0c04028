"""Which GPUs an agent may give to peers, found without CUDA: whoever starts it cannot be forked."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping

VISIBLE = "CUDA_VISIBLE_DEVICES"
_ASK = ("nvidia-smi", "--query-gpu=index", "--format=csv,noheader")
_ANSWER_S = 20.0


def gpus_of(
    environment: Mapping[str, str], ask: Callable[[], list[str]] | None = None
) -> tuple[str, ...]:
    """Return what CUDA_VISIBLE_DEVICES can be for one GPU each.

    The engine's allotment wins: it stands in that variable of the agent's own environment. As in
    CUDA, what follows the first device that there cannot be is invisible.

    Args:
        ask: returns the indices of all GPUs of this host; None = `nvidia-smi` does.
    """
    allotted = environment.get(VISIBLE)
    if allotted is None:
        return tuple((ask or _indices)())
    names = [each.strip() for each in allotted.split(",")]
    usable = []
    for name in names:
        if not name or name == "-1" or name == "NoDevFiles":
            break
        usable.append(name)
    return tuple(usable)


def _indices() -> list[str]:
    try:
        done = subprocess.run(_ASK, capture_output=True, text=True, timeout=_ANSWER_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return []  # no driver, so no GPU
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
