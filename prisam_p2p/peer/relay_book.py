"""Which masks of a round a peer learns beyond its neighbors, step by step. Pure.

Step 1 of a round is the announcement: a peer hears the masks of its direct neighbors. In step h,
from 2 to --mask-hops, each peer lists to its neighbors whose masks it learned in step h - 1 (a
digest), and asks for those listed masks that it does not hold: each from one neighbor. So after
step h it knows all masks of this round of peers up to h links away. A mask that has not changed
since an earlier round is held already, and does not travel again.
docs/decisions/0054-relayed-masks.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.peer.round_book import MAX_EARLY, Verdict
from prisam_p2p.transport.known_masks import KnownMasks
from prisam_p2p.wire.relay_messages import FIRST_STEP, MOST_LISTED, Entry, MaskDigest, RelayedMask

RENEWED_AFTER = 8
"""A peer signs its mask anew after this many rounds, though it has not changed. So nobody can pass
an older mask off as a peer's present one."""

Asked = dict[str, tuple[Entry, ...]]
"""Neighbor -> the masks to ask it for."""


class RelayBook:
    """What one peer knows of a round's masks, and what it still awaits.

    A mask that does not come is an absent key, never an exception.

    Args:
        me: this peer.
        neighbors: its direct neighbors.
        known: the masks that it holds; those accepted are added.
        origins: the peers of the run, itself included; masks of others are rejected.
        hops: the farthest origin, in links.
        n_bits: length of every mask of the run.
        holds: tells whether a mask's signature is its origin's.
    """

    def __init__(
        self,
        me: str,
        neighbors: Iterable[str],
        known: KnownMasks,
        origins: Collection[str],
        hops: int,
        n_bits: int,
        holds: Callable[[RelayedMask], bool] = lambda _mask: True,
    ) -> None:
        self._me, self._neighbors = me, frozenset(neighbors)
        self._origins, self._known = frozenset(origins), known
        self._hops, self._n_bits, self._holds = hops, n_bits, holds
        self._round, self.step = -1, FIRST_STEP
        self._cards: dict[str, dict[int, RelayedMask]] = {}
        self._digests: dict[tuple[int, int], dict[str, MaskDigest]] = {}
        self._partners: set[str] = set()
        self._reached: dict[str, tuple[int, int]] = {}  # neighbor -> round and step it told of
        self._finished: set[str] = set()
        self._fresh: set[str] = set()  # learned in the step before
        self._next: set[str] = set()  # learned in this step
        self._begin(-1)

    # -- a round -------------------------------------------------------------------------

    def open(self, round_index: int, masks: Mapping[str, PackedMask]) -> list[tuple[str, Verdict]]:
        """Begin with the masks of direct neighbors; who announced one takes part in the steps.

        Returns:
            The neighbors whose mask is not relayed, because what they say of it does not fit, and
            why.
        """
        self._begin(round_index)
        self._partners = set(masks)
        unfit: list[tuple[str, Verdict]] = []
        for neighbor, mask in sorted(masks.items()):
            verdict = self._introduce(neighbor, mask)
            if verdict is not Verdict.ACCEPTED:
                unfit.append((neighbor, verdict))
        return unfit

    def digests(self) -> dict[str, MaskDigest]:
        """Return what to tell each neighbor at the beginning of this step."""
        last = not self._fresh or self.step == self._hops
        return {
            neighbor: MaskDigest(self._round, self.step, last, self._listed_for(neighbor))
            for neighbor in sorted(self._neighbors)
        }

    @property
    def round_index(self) -> int:
        """The round that was opened last; -1 before the first."""
        return self._round

    @property
    def has_ended(self) -> bool:
        """Whether all steps of the round are taken."""
        return self.step > self._hops

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be learned: nobody is as far away as the step before reached.

        The digests of this step still tell the neighbors so.
        """
        return not self._fresh

    def awaited(self) -> set[str]:
        """Return the neighbors whose digest of this step can still arrive."""
        here = self._digests.get(self._at, {}).keys()
        past = {each for each, at in self._reached.items() if at >= self._at}
        return self._partners - self._over - self._finished - here - past

    def take_digests(self) -> None:
        """End the wait for digests: from now on, what they list is asked for (`asked`)."""
        for neighbor, digest in sorted(self._digests.pop(self._at, {}).items()):
            if digest.last:
                self._over.add(neighbor)
            for origin, version in digest.entries:
                self._told[neighbor].add(origin)
                wanted = origin not in self._learned and origin != self._me
                if wanted and self._may_answer(neighbor):
                    self._offers[origin][version].append(neighbor)

    def asked(self) -> Asked:
        """Return whom to ask for which masks now; each neighbor is asked for about as many.

        The latest version that is offered counts. What is held already is learned at once.
        """
        found: defaultdict[str, list[Entry]] = defaultdict(list)
        load = Counter(neighbor for neighbor, _ in self._owed.values())
        for origin in sorted(self._offers.keys() - self._owed.keys()):
            versions = self._offers[origin]
            version = max(versions)
            if (mask := self._known.get((origin, version))) is not None:
                self._learn(mask)
                continue
            neighbor = min(versions[version], key=lambda each: (load[each], each))
            load[neighbor] += 1
            self._owed[origin] = neighbor, version
            found[neighbor].append((origin, version))
        return {neighbor: tuple(entries) for neighbor, entries in found.items()}

    def owing(self) -> set[str]:
        """Return the neighbors that were asked for masks and have not sent all of them."""
        return {neighbor for neighbor, _ in self._owed.values()}

    def must_ask(self) -> bool:
        """Tell whether there are offers that nobody was asked for (`asked`)."""
        return bool(self._offers.keys() - self._owed.keys())

    def next_step(self) -> None:
        """End this step, whatever is still owed."""
        self._offers.clear()
        self._owed.clear()
        self._fresh, self._next = self._next, set[str]()
        self.step += 1

    def masks(self) -> dict[str, PackedMask]:
        """Return peer -> its mask of this round, of peers that are no neighbors, ascending."""
        return {
            origin: PackedMask(mask.n_bits, mask.bits)
            for origin, (mask, hops) in sorted(self._learned.items())
            if hops > 1 and origin not in self._neighbors
        }

    def hops(self) -> dict[str, int]:
        """Return peer -> how many links its mask travelled, as `masks`."""
        return {origin: self._learned[origin][1] for origin in self.masks()}

    def where(self, origin: str) -> RelayedMask | None:
        """Return where a discovered peer says it is, None where it was not discovered."""
        found = self._learned.get(origin)
        return found[0] if found and origin not in self._neighbors else None

    # -- what comes ----------------------------------------------------------------------

    def hear_digest(self, neighbor: str, digest: MaskDigest) -> Verdict:
        """Judge a digest, and keep it until its step comes."""
        t, step = digest.round_index, digest.step
        if neighbor not in self._neighbors:
            return Verdict.STRANGER
        if step > self._hops:
            return Verdict.MISMATCHED
        self._reach(neighbor, (t, step))
        if (t, step) < (self._round, self.step):
            return Verdict.STALE
        ahead = {at[0] for at, here in self._digests.items() if neighbor in here} - {self._round}
        if t > self._round and len(ahead | {t}) > MAX_EARLY:
            return Verdict.TOO_EARLY
        here = self._digests.setdefault((t, step), {})
        if neighbor in here or (t == self._round and neighbor in self._over):
            return Verdict.DUPLICATE
        entries = tuple(each for each in digest.entries if self._is_usable(each, t))
        here[neighbor] = replace(digest, entries=entries)
        if len(entries) < len(digest.entries):
            return Verdict.MISMATCHED
        return Verdict.ACCEPTED if t == self._round else Verdict.EARLY

    def hear_mask(self, neighbor: str, mask: RelayedMask) -> Verdict:
        """Judge what a neighbor says of itself (no bits), or a mask that it was asked for."""
        if neighbor not in self._neighbors:
            return Verdict.STRANGER
        if not mask.n_bits:
            return self._hear_card(neighbor, mask)
        if self._owed.get(mask.origin) != (neighbor, mask.version):
            return Verdict.UNEXPECTED
        del self._owed[mask.origin]
        if mask.n_bits == self._n_bits and self._holds(mask):
            self._known.keep(mask)
            self._learn(mask)
            return Verdict.ACCEPTED
        self._withdraw(neighbor, mask.origin, mask.version)
        return Verdict.MISMATCHED if mask.n_bits != self._n_bits else Verdict.FORGED

    def meet(self, neighbor: str) -> None:
        """Forget what a neighbor said of itself: it says so again, by each new connection."""
        self._cards.pop(neighbor, None)
        self._reached.pop(neighbor, None)

    def pass_to(self, neighbor: str, round_index: int) -> None:
        """Await no digest of earlier rounds: a neighbor announced its mask of this one.

        Connections deliver in order. The neighbor still answers requests; but two rounds ahead it
        may not hold any more what it listed, so others are asked.
        """
        self._reach(neighbor, (round_index, 0))
        if not self._may_answer(neighbor):
            self.leave(neighbor)

    def finish(self, neighbor: str) -> None:
        """Await no digest any more: a neighbor said goodbye, though it still answers requests."""
        self._finished.add(neighbor)

    def leave(self, neighbor: str) -> None:
        """Await nothing more of a neighbor in this round; ask others for what it offered."""
        self._partners.discard(neighbor)
        for origin in [o for o, offers in self._offers.items() if _offered_by(offers, neighbor)]:
            if self._owed.get(origin, ("", 0))[0] == neighbor:
                del self._owed[origin]
            for version in [*self._offers[origin]]:
                self._withdraw(neighbor, origin, version)

    # ------------------------------------------------------------------------------------

    @property
    def _at(self) -> tuple[int, int]:
        return self._round, self.step

    def _reach(self, neighbor: str, at: tuple[int, int]) -> None:
        self._reached[neighbor] = max(at, self._reached.get(neighbor, at))

    def _may_answer(self, neighbor: str) -> bool:
        return self._reached.get(neighbor, (0, 0))[0] <= self._round + 1

    def _begin(self, round_index: int) -> None:
        self._round, self.step = round_index, FIRST_STEP
        self._digests = {at: each for at, each in self._digests.items() if at[0] >= round_index}
        self._learned: dict[str, tuple[RelayedMask, int]] = {}
        self._fresh, self._next = set(), set()
        self._told: defaultdict[str, set[str]] = defaultdict(set)
        self._over: set[str] = set()
        self._offers: defaultdict[str, defaultdict[int, list[str]]]
        self._offers = defaultdict(lambda: defaultdict(list))
        self._owed: dict[str, tuple[str, int]] = {}

    def _introduce(self, neighbor: str, mask: PackedMask) -> Verdict:
        """Learn a neighbor's mask of this round, with what it said of itself."""
        cards = self._cards.get(neighbor, {})
        version = max((v for v in cards if v <= self._round), default=None)
        if version is None or self._round - version >= RENEWED_AFTER:
            return Verdict.UNINTRODUCED
        whole = replace(cards[version], n_bits=mask.n_bits, bits=mask.bits)
        if self._known.get(whole.entry) != whole:
            if not self._holds(whole):
                return Verdict.FORGED
            self._known.keep(whole)
        self._learned[neighbor] = whole, 1
        self._fresh.add(neighbor)
        return Verdict.ACCEPTED

    def _hear_card(self, neighbor: str, card: RelayedMask) -> Verdict:
        if card.origin != neighbor:
            return Verdict.SPOOFED
        cards = self._cards.setdefault(neighbor, {})
        cards[card.version] = card
        for old in sorted(cards)[: -MAX_EARLY - 1]:
            del cards[old]
        return Verdict.ACCEPTED

    def _listed_for(self, neighbor: str) -> tuple[Entry, ...]:
        known = {neighbor, self._me} | self._told.get(neighbor, set())
        listed = sorted(self._fresh - known)[:MOST_LISTED]
        return tuple(self._learned[origin][0].entry for origin in listed)

    def _is_usable(self, entry: Entry, round_index: int) -> bool:
        origin, version = entry
        return origin in self._origins and round_index - version < RENEWED_AFTER

    def _learn(self, mask: RelayedMask) -> None:
        self._offers.pop(mask.origin, None)
        self._learned[mask.origin] = mask, self.step
        self._next.add(mask.origin)

    def _withdraw(self, neighbor: str, origin: str, version: int) -> None:
        """Count on an offer no more."""
        offers = self._offers.get(origin)
        if offers is None:
            return
        if neighbor in offers[version]:
            offers[version].remove(neighbor)
        for empty in [v for v, offering in offers.items() if not offering]:
            del offers[empty]
        if not offers:
            del self._offers[origin]


def _offered_by(offers: Mapping[int, Collection[str]], neighbor: str) -> bool:
    return any(neighbor in offering for offering in offers.values())
