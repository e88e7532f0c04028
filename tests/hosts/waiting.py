"""Waits with deadlines, which say what was waited for."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


def wait_until(happened: Callable[[], T], timeout_s: float, what: str | Callable[[], str]) -> T:
    """Return the first true value of `happened`, asked ten times a second.

    Raises:
        AssertionError: it did not come to be in time.
    """
    deadline = time.monotonic() + timeout_s
    while not (value := happened()):
        if time.monotonic() > deadline:
            words = what if isinstance(what, str) else what()
            raise AssertionError(f"waited {timeout_s:g} s for {words}")
        time.sleep(0.1)
    return value


def lines_of(process: subprocess.Popen[str], timeout_s: float, what: str) -> Iterator[str]:
    """Yield the lines that a process prints, to its end or the deadline.

    Raises:
        AssertionError: it neither printed what the caller looks for nor ended in time.
    """
    assert process.stdout is not None
    deadline = time.monotonic() + timeout_s
    descriptor = process.stdout.fileno()
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            came = selector.select(left) if left > 0 else []
            assert came, f"waited {timeout_s:g} s for {what}"
            read = os.read(descriptor, 65536)
            *lines, rest = (rest + read).split(b"\n")
            yield from (line.decode() for line in lines)
            if not read:
                return
