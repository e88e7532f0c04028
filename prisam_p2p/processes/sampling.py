"""Samples of peers' processes, taken by whoever forked them: the slot, and the kernel's word.

The kernel is asked only about peers whose slot shows no progress: it takes the most time.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from prisam_p2p.control.activity import Activity, BoardLayout, Slot
from prisam_p2p.control.spec import BoardSpec
from prisam_p2p.system.process_state import ProcessState, process_state

_LEAST_PERIOD_S, _MOST_PERIOD_S, _PERIOD_OF_ONE_S = 1.0, 2.0, 0.004
"""A sample of a peer takes some 30 us: 500 peers, every two seconds, take 1 % of a core."""


class Sampled(NamedTuple):
    """A process that is sampled, and its peer's place on the board."""

    pid: int
    place: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen of a process.

    Attributes:
        number: of the process (engine.py).
        state: None if its slot shows progress since the last sample, or the process has ended.
        left_s: seconds until the wait that it is in ends at the latest; below 0 = it is overdue;
            None = it waits for nothing.
    """

    number: int
    slot: Slot
    state: ProcessState | None
    left_s: float | None

    def row(self) -> list[Any]:
        """Return it as JSON has it; `sample_of` is the way back."""
        slot, state = self.slot, self.state
        if state is None:  # nothing else is asked about it
            return [self.number, slot.progress]
        what = [slot.round_index, slot.activity, slot.waits_for.hex()]
        return [self.number, slot.progress, *what, self.left_s, state.letter, state.main_cpu_s]


def sample_of(row: Sequence[Any]) -> Sample:
    """Return the sample of a `row`."""
    if len(row) == 2:
        return Sample(row[0], Slot(row[1]), None, None)
    number, progress, round_index, activity, waits_for, left_s, letter, cpu_s = row
    slot = Slot(progress, round_index, Activity(activity), 0.0, bytes.fromhex(waits_for))
    return Sample(number, slot, ProcessState(letter, cpu_s), left_s)


@contextmanager
def open_board(n_peers: int) -> Iterator[BoardSpec]:
    """Make the board of a run; its memory is taken at once, so that no write to it can fail later.

    Raises:
        OSError: there is no memory for it.
    """
    n_bytes = BoardLayout(n_peers).n_bytes
    with _unnamed_file() as file:
        file.write(bytes(n_bytes))
        file.flush()
        yield BoardSpec(fd=file.fileno(), n_peers=n_peers)


def _unnamed_file() -> BinaryIO:
    if hasattr(os, "memfd_create"):  # in memory: the kernel writes none of it to a disk
        return os.fdopen(os.memfd_create("prisam-board"), "w+b")
    return tempfile.TemporaryFile(prefix="prisam-board-")


def period_s(n_peers: int) -> float:
    """Return how often to sample: every second, less often where that takes too much time."""
    return min(max(_LEAST_PERIOD_S, n_peers * _PERIOD_OF_ONE_S), _MOST_PERIOD_S)


class Sampler:
    """Samples processes of peers on this host.

    Args:
        board: as in the peers' specs.
    """

    def __init__(self, board: BoardSpec) -> None:
        self._layout = BoardLayout(board.n_peers)
        self._memory = mmap.mmap(board.fd, self._layout.n_bytes)
        self._seen: dict[int, int] = {}

    def clear(self, place: int) -> None:
        """Forget what the last process of a peer has shown; to be called before the next starts."""
        self._memory[self._layout.part(place)] = bytes(self._layout.slot_bytes)

    def samples(self, processes: Mapping[int, Sampled]) -> list[Sample]:
        """Return what is to be seen of each process: number -> process."""
        now_s, found = time.monotonic(), []
        for number, (pid, place) in processes.items():
            slot = self._layout.decode(self._memory[self._layout.part(place)])
            moved = self._seen.get(number) != slot.progress
            state = None if moved else process_state(pid)
            left_s = slot.until_s - now_s if slot.until_s else None
            found.append(Sample(number, slot, state, left_s))
        self._seen = {each.number: each.slot.progress for each in found}
        return found
