"""What a peer is doing, as it shows it to whoever watches it. Pure: bytes in, bytes out.

The *board* is shared memory with one slot for each peer. A peer writes into its own slot and sends
no message, so its slot can be read even while its process is stopped or hangs.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum


class Activity(IntEnum):
    """What a peer is doing. A slot of zeros says STARTING; numbers are never given anew."""

    STARTING = 0
    CONNECTING = 1
    WAITING_FOR_ORDERS = 2
    RUNNING = 3
    TRAINING = 4
    PRUNING = 5
    ANNOUNCING = 6
    WAITING_FOR_MASKS = 7
    GROUPING = 8
    PULLING = 9
    AGGREGATING = 10
    EVALUATING = 11
    WAITING_FOR_TURN = 12
    AT_BARRIER = 13
    PACING = 14
    SAVING = 15
    SERVING = 16
    LEAVING = 17
    RECALIBRATING = 18
    WRITING_MODEL = 19
    LOADING = 20

    @property
    def words(self) -> str:
        """The activity as a reader of the progress line sees it."""
        return _WORDS[self]

    @property
    def phase(self) -> str:
        """The activity as a journal's `spans` name it.

        The sleeps of a slow device are part of its training: one follows every step.
        """
        return _WORDS[Activity.TRAINING if self is Activity.PACING else self]


_WORDS = {
    Activity.STARTING: "starting",
    Activity.CONNECTING: "connecting",
    Activity.WAITING_FOR_ORDERS: "waiting for orders",
    Activity.RUNNING: "between two steps",
    Activity.TRAINING: "training",
    Activity.PRUNING: "pruning",
    Activity.ANNOUNCING: "announcing",
    Activity.WAITING_FOR_MASKS: "waiting for masks",
    Activity.GROUPING: "clustering",
    Activity.PULLING: "pulling",
    Activity.AGGREGATING: "averaging",
    Activity.EVALUATING: "evaluating",
    Activity.WAITING_FOR_TURN: "waiting for its turn",
    Activity.AT_BARRIER: "at a barrier",
    Activity.PACING: "slowed down to its device's speed",
    Activity.SAVING: "writing state",
    Activity.SERVING: "serving",
    Activity.LEAVING: "leaving",
    Activity.RECALIBRATING: "recalibrating",
    Activity.WRITING_MODEL: "writing the model",
    Activity.LOADING: "loading weights",
}

_HEAD = struct.Struct("<QiId")
_UNIT_BYTES = 64
"""Slots begin at multiples of a cache line, so that no two peers write into the same one."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What a peer's slot says.

    Attributes:
        progress: grows whenever something advances: a phase, a round, a training step, a mask or a
            chunk that was awaited. What it counts has no further meaning.
        round_index: -1 before the first round.
        until_s: when the wait that it is in ends at the latest, by CLOCK_MONOTONIC of its host;
            0 = it waits for nothing.
        waits_for: bit i is set if it waits for the peer whose place is i, low bit of byte 0 first.
    """

    progress: int = 0
    round_index: int = -1
    activity: Activity = Activity.STARTING
    until_s: float = 0.0
    waits_for: bytes = b""


class BoardLayout:
    """Where each peer's slot lies on a board.

    Args:
        n_peers: of the run; a peer's place is its index in the plan.
    """

    def __init__(self, n_peers: int) -> None:
        self._bit_bytes = -(-n_peers // 8)
        self.slot_bytes = -(-(_HEAD.size + self._bit_bytes) // _UNIT_BYTES) * _UNIT_BYTES
        self.n_bytes = n_peers * self.slot_bytes

    def encode(self, slot: Slot) -> bytes:
        """Return a slot's bytes, `slot_bytes` of them; those of `Slot()` are all zero.

        Raises:
            ValueError: `waits_for` names places beyond the last peer's byte.
        """
        if len(slot.waits_for) > self._bit_bytes:
            raise ValueError(f"{len(slot.waits_for)} bytes of places: at most {self._bit_bytes}")
        head = _HEAD.pack(slot.progress, slot.round_index + 1, slot.activity, slot.until_s)
        return (head + slot.waits_for).ljust(self.slot_bytes, b"\0")

    def decode(self, data: bytes) -> Slot:
        """Return what a slot's bytes say.

        They may have been written while they were read: the next reading is whole.

        Raises:
            ValueError: it is no activity of this release.
        """
        progress, round_number, activity, until_s = _HEAD.unpack_from(data)
        waits_for = bytes(data[_HEAD.size : _HEAD.size + self._bit_bytes]).rstrip(b"\0")
        return Slot(progress, round_number - 1, Activity(activity), until_s, waits_for)

    def part(self, place: int) -> slice:
        """Return which bytes of the board are a peer's."""
        return slice(place * self.slot_bytes, (place + 1) * self.slot_bytes)


def bits_of(places: Collection[int]) -> bytes:
    """Return the bits of `waits_for` for these places."""
    n_bytes = max(places, default=-1) // 8 + 1
    return sum(1 << place for place in set(places)).to_bytes(n_bytes, "little")


def places_of(bits: bytes) -> list[int]:
    """Return the places of the bits that are set, ascending."""
    number = int.from_bytes(bits, "little")
    return [place for place in range(8 * len(bits)) if number >> place & 1]
