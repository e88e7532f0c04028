"""Files that a host needs from the launcher, as orders: each is read while it is sent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from prisam_p2p.extensions.record import FOLDER as CODE
from prisam_p2p.hosts.codec import encode
from prisam_p2p.hosts.messages import DATA, FileForHost
from prisam_p2p.hosts.outbox import Frames

PART_BYTES = 64 << 10
"""So few that the answer to a request for a lease, which follows them, is not late."""


def data_parts(descriptor: int) -> Iterator[Frames]:
    """Yield the orders that send the images of the run."""
    return _parts(DATA, descriptor)


def file_parts(run_dir: Path, name: str) -> Iterator[Frames]:
    """Yield the orders that send a file of the run's folder, as it is when the first is asked for.

    Nothing of one that is gone by then.
    """
    with suppress(FileNotFoundError), (run_dir / name).open("rb") as file:
        yield from _parts(name, file.fileno())


def code_files(run_dir: Path) -> list[str]:
    """Return the run's copies of users' code."""
    found = sorted((run_dir / CODE).rglob("*"))
    return [path.relative_to(run_dir).as_posix() for path in found if path.is_file()]


def state_files(run_dir: Path, peers: Iterable[str]) -> list[str]:
    """Return the states of peers that are there."""
    folder = run_dir / "state"
    names = {path.name: path.name.partition(".")[0] for path in sorted(folder.glob("[!.]*"))}
    wanted = set(peers)
    return [f"state/{name}" for name, peer in names.items() if peer in wanted]


def _parts(name: str, descriptor: int) -> Iterator[Frames]:
    n_bytes, offset = os.fstat(descriptor).st_size, 0
    while True:
        data = os.pread(descriptor, PART_BYTES, offset)
        yield encode(FileForHost(name, offset, n_bytes), data)
        offset += len(data)
        if offset >= n_bytes or not data:
            return
