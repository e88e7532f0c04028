"""What the control groups of this process still grant it: memory, and processes (Linux).

Both versions of the interface, each group and all above it: the tightest one holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_ROOT, _MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_NO_LIMIT = 1 << 60
"""Version 1 writes the largest multiple of a page instead of "max"."""


@dataclass(frozen=True)
class _Files:
    """Names of a group's files: its limit, what it uses, and what of this the kernel takes back."""

    limit: str
    used: str
    statistics: str = ""
    reclaimable: tuple[str, ...] = ()


_MEMORY_1 = _Files(
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    "memory.stat",
    ("total_inactive_file", "total_active_file"),
)
_MEMORY_2 = _Files("memory.max", "memory.current", "memory.stat", ("inactive_file", "active_file"))
_PIDS = _Files("pids.max", "pids.current")


def memory_left(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> int | None:
    """Return the bytes that this process's groups still grant; None without a limit."""
    left = [_left(folder, _MEMORY_1) for folder in _folders(root, membership, "memory")]
    left += [_left(folder, _MEMORY_2) for folder in _folders(root, membership, "")]
    return min((each for each in left if each is not None), default=None)


def tasks_left(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> int | None:
    """Return how many more threads this process's groups grant; None without a limit."""
    folders = [*_folders(root, membership, "pids"), *_folders(root, membership, "")]
    left = [_left(folder, _PIDS) for folder in folders]
    return min((each for each in left if each is not None), default=None)


def _folders(root: Path, membership: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's group and of those above it; "" = of version 2.

    In a container, the group's path may be that outside; then only the top is there.
    """
    lines: list[str] = []
    with suppress(OSError):
        lines = membership.read_text().splitlines()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            for top in {root / (controllers or "."), root / (controller or "unified")}:
                place = top / path.lstrip("/")
                yield from (place, *(each for each in place.parents if each.is_relative_to(top)))


def _left(folder: Path, files: _Files) -> int | None:
    """Return limit - used + reclaimable of one group; None without a limit, or a group."""
    try:
        limit_text = (folder / files.limit).read_text().strip()
        if limit_text == "max" or int(limit_text) >= _NO_LIMIT:
            return None
        used = int((folder / files.used).read_text())
        return max(0, int(limit_text) - used + _reclaimable(folder, files))
    except (OSError, ValueError):
        return None


def _reclaimable(folder: Path, files: _Files) -> int:
    if not files.statistics:
        return 0
    words = (folder / files.statistics).read_text().split()  # name, value, name, value, ..
    amounts = dict(zip(words[::2], words[1::2], strict=False))
    return sum(int(amounts.get(name, 0)) for name in files.reclaimable)
