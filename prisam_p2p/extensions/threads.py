"""Refuses code that leaves threads or CUDA behind in the launcher, whose forks would then hang."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prisam_p2p.errors import ConfigError

_ENDING_S = 0.5
"""The kernel lists a thread for a moment after it was joined."""


@contextmanager
def stays_forkable(option: str, text: str, forks: bool) -> Iterator[None]:
    """Run users' code in the block, and check that this process can still be forked.

    Args:
        option, text: the setting and its value, for the error.
        forks: whether this process will be forked; otherwise nothing is checked.

    Raises:
        ConfigError: a thread that was started in the block still runs, or CUDA is initialized.
    """
    before = set(_threads())
    yield
    if not forks:
        return
    deadline = time.monotonic() + _ENDING_S
    while (new := set(_threads()) - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    right = "do this in the functions that peers run, or use --start spawn"
    if new:
        names = ", ".join(sorted({_threads().get(each, "ended") for each in new}))
        right = f"code that leaves no thread running ({names}) before peers are forked; {right}"
        raise ConfigError(option, "", text, right)
    if _uses_cuda():
        right = f"code that does not touch CUDA before peers are forked; {right}"
        raise ConfigError(option, "", text, right)


def _threads() -> dict[int, str]:
    """Return the native id of each thread of this process -> its name."""
    named = {each.native_id or 0: each.name for each in threading.enumerate()}
    try:
        ids = [int(each) for each in os.listdir("/proc/self/task")]
    except OSError:  # not Linux: threads of C libraries cannot be seen
        return named
    return {each: named.get(each, "a thread of a library") for each in ids}


def _uses_cuda() -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda.is_initialized())
