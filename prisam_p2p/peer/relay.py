"""A peer's part in relaying masks: what it says of itself, and the steps of each round.

What is known and awaited is decided by the book (relay_book.py); this sends, waits and journals.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.measure import records
from prisam_p2p.peer.relay_book import RENEWED_AFTER, RelayBook
from prisam_p2p.peer.round_book import Verdict
from prisam_p2p.peer.round_deadline import RoundDeadline
from prisam_p2p.transport.transport import Transport
from prisam_p2p.wire.relay_messages import MOST_WANTED, MaskDigest, RelayedMask

Reject = Callable[[str, str, str], object]
"""Counts what was not accepted, by (sender, verdict, reason)."""


class Wait(Protocol):
    """Processes events until `enough`, or until the time `ends_s`; see Neighbors."""

    def __call__(
        self,
        enough: Callable[[], bool],
        ends_s: Callable[[], float],
        awaited: Callable[[], Collection[str]],
    ) -> None: ...


class Relay:
    """Relays masks for one peer.

    Args:
        card: what this peer says of itself, but for version and signature; without a mask.
        sign: returns what it is given with a signature; where connections are plain, without.
        deadline: decides how long the steps of a round may take together.
    """

    def __init__(
        self,
        book: RelayBook,
        card: RelayedMask,
        sign: Callable[[RelayedMask], RelayedMask],
        transport: Transport,
        deadline: RoundDeadline,
    ) -> None:
        self.book, self._card, self._sign = book, card, sign
        self._transport, self._deadline = transport, deadline
        self._said: RelayedMask | None = None
        self._came = 0

    def says(self, round_index: int, mask: PackedMask) -> RelayedMask | None:
        """Return what goes to the neighbors before this peer's mask; None where nothing is new.

        It says the same of an unchanged mask, and says it anew after some rounds.
        """
        said = self._said
        if said and said.bits == mask.bits and round_index - said.version < RENEWED_AFTER:
            return None
        new = replace(self._card, version=round_index, n_bits=mask.n_bits, bits=mask.bits)
        self._said = self._sign(new)
        return replace(self._said, n_bits=0, bits=b"")

    def learn(
        self,
        round_index: int,
        masks: Mapping[str, PackedMask],
        gone: Collection[str],
        wait: Wait,
        reject: Reject,
    ) -> tuple[dict[str, PackedMask], records.Relayed]:
        """Return peer -> its mask of this round, of peers beyond the neighbors, and a record of it.

        Args:
            masks: of this round, of the neighbors.
            gone: those of them whose connection has closed since their mask came.
        """
        book, deadline, began_s = self.book, self._deadline, time.monotonic()
        for neighbor, verdict in book.open(round_index, masks):
            reject(neighbor, verdict, f"what it says of its mask of round {round_index}")
        for neighbor in gone:
            book.leave(neighbor)
        deadline.open(round_index, began_s, began_s)
        self._came = 0
        asked, missing = 0, set[str]()
        while not book.has_ended:
            self._transport.tell_digests(book.digests())
            if book.is_over:
                break
            self._wait(wait, lambda: not book.awaited(), book.awaited, began_s)
            missing |= book.awaited()
            book.take_digests()
            asked += self._fetch(wait, began_s)
            missing |= book.owing()
            book.next_step()
        now_s = time.monotonic()
        deadline.close(missing, now_s)
        return book.masks(), records.Relayed(
            round=round_index,
            hops=book.hops(),
            asked=asked,
            missing=sorted(missing),
            waited_s=round(now_s - began_s, 6),
            deadline_s=round(deadline.wait_s(self._came, len(missing)), 6),
        )

    def hear(self, neighbor: str, message: RelayedMask | MaskDigest, reject: Reject) -> bool:
        """Take in what a neighbor said; return whether it was accepted."""
        if isinstance(message, MaskDigest):
            verdict = self.book.hear_digest(neighbor, message)
            what = f"digest of round {message.round_index}, step {message.step}"
            expected = True
        else:
            verdict = self.book.hear_mask(neighbor, message)
            what = f"mask of {message.origin} of round {message.version}"
            expected = bool(message.n_bits)
        if verdict not in (Verdict.ACCEPTED, Verdict.EARLY):
            reject(neighbor, verdict, what)
            return False
        if verdict is Verdict.ACCEPTED and expected:
            self._came += 1
            self._deadline.arrived(neighbor, self.book.round_index, time.monotonic())
        return True

    def reach(self, donors: Sequence[str]) -> None:
        """Let the next pull reach those donors that are no neighbors, and end other connections."""
        found = [self.book.where(donor) for donor in donors]
        self._transport.meet([each for each in found if each is not None])

    # ------------------------------------------------------------------------------------

    def _fetch(self, wait: Wait, began_s: float) -> int:
        """Ask for the masks that neighbors listed until all are here; return how many requests."""
        book, sent = self.book, 0
        while True:
            for neighbor, entries in book.asked().items():
                for at in range(0, len(entries), MOST_WANTED):
                    part = entries[at : at + MOST_WANTED]
                    self._transport.ask_masks(neighbor, book.round_index, part)
                    sent += 1
            if not book.owing():
                return sent
            self._wait(wait, lambda: not book.owing() or book.must_ask(), book.owing, began_s)
            if book.owing() and not book.must_ask():
                return sent  # the time is up

    def _wait(
        self,
        wait: Wait,
        enough: Callable[[], bool],
        awaited: Callable[[], Collection[str]],
        began_s: float,
    ) -> None:
        wait(
            enough,
            lambda: began_s + self._deadline.wait_s(self._came, len(awaited())),
            awaited,
        )
