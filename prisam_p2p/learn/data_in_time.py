"""Data that change during a run: which images a peer has from which round on. Pure.

A *drift* gives a peer images of another data group. All is decided before the run, from the split
and a generator: equal arguments give equal images.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from prisam_p2p.learn.split_counts import Counts, apportioned
from prisam_p2p.learn.splits import (
    ClassImages,
    Indices,
    Labels,
    PeerData,
    draw_test,
    take_images,
)

NEXT: Literal["next"] = "next"
"""In place of a group: the one after the peer's own, and after the last one the first."""


@dataclass(frozen=True)
class Drift:
    """A peer gets images of another data group.

    Attributes:
        fault: id of the occurrence that asks for it.
        round: of the first step; steps come at the beginning of a round's training.
        to: the data group, or "next": the one after the group that the peer has then.
        over_rounds: number of steps, one a round. After step i of n, i / n of its images are new.
        until: the round in which it gets back what it had before; None = never.
    """

    fault: str
    peer: str
    round: int
    to: int | Literal["next"]
    over_rounds: int = 1
    until: int | None = None


@dataclass(frozen=True, eq=False)
class DataFrom:
    """The images of a peer from a round on.

    Attributes:
        data: its `group` is that of most of its images; of two with as many, the new one.
        fault: id of the occurrence that gives them; "" = none does any more.
    """

    round: int
    data: PeerData
    fault: str


@dataclass(frozen=True, eq=False)
class Pools:
    """What new images are dealt from.

    Attributes:
        train_labels, test_labels: labels of the two pools, in 0 .. n_classes - 1.
        at_most_test: upper bound on a peer's test images.
        by_class: a group is a mix of classes, so that any image of a class will do. Otherwise a
            group is known only by the images that its peers have, and these are dealt again.
    """

    train_labels: Labels
    test_labels: Labels
    n_classes: int
    at_most_test: int
    by_class: bool


def data_in_time(
    split: Mapping[str, PeerData],
    drifts: Sequence[Drift],
    pools: Pools,
    rounds: int,
    rng: np.random.Generator,
) -> dict[str, list[DataFrom]]:
    """Deal the images that drifts ask for.

    A peer gets as many images for training and validation as it had, in the class mix of all
    images of the new group's peers. They are images that no peer had yet, as long as a class has
    such; then those that were given out longest ago. An image keeps its purpose (training or
    validation) on all peers and in all rounds, unless a class has too few for that. Test images
    are drawn as in `draw_split`.

    Of several drifts of a peer the last one that began holds; where it ends, the one before.

    Args:
        split: peer -> its images at the beginning; all peers have a group.
        rounds: of the run; what would happen later is left out.

    Returns:
        Peer -> its changes, by round ascending; peers without one are left out.

    Raises:
        ConfigError: there are no test images of a group's classes.
    """
    dealer = Dealer(split, pools, rng)
    of_peers: dict[str, list[Drift]] = defaultdict(list)
    for drift in drifts:
        of_peers[drift.peer].append(drift)
    courses = {
        peer: _PeerCourse(split[peer], each, dealer.deal) for peer, each in sorted(of_peers.items())
    }
    moments = sorted({t for each in of_peers.values() for t in _moments(each) if t < rounds})
    for t in moments:
        for course in courses.values():
            course.advance(t)
    return {peer: course.changes for peer, course in courses.items() if course.changes}


def _moments(drifts: Iterable[Drift]) -> set[int]:
    """Return the rounds in which a peer's data may change."""
    steps = {drift.round + i for drift in drifts for i in range(drift.over_rounds)}
    return steps | {drift.until for drift in drifts if drift.until is not None}


@dataclass(eq=False)
class _Active:
    """A drift that has begun: from the data of `before` to those of `after`, step by step."""

    drift: Drift
    before: PeerData
    after: PeerData

    def at(self, t: int) -> PeerData:
        n, done = self.drift.over_rounds, t - self.drift.round + 1
        if done >= n:
            return self.after
        old, new = self.before, self.after
        return PeerData(
            _mixed(old.train, new.train, done, n),
            _mixed(old.validation, new.validation, done, n),
            _mixed(old.test, new.test, done, n),
            new.group if 2 * done >= n else old.group,
        )


class _PeerCourse:
    """The data of one peer, round after round."""

    def __init__(
        self,
        at_first: PeerData,
        drifts: Sequence[Drift],
        deal: Callable[[PeerData, int | Literal["next"]], PeerData],
    ) -> None:
        self._at_first, self._drifts, self._deal = at_first, drifts, deal
        self._now, self._active = at_first, list[_Active]()
        self.changes: list[DataFrom] = []

    def advance(self, t: int) -> None:
        """End, begin and continue drifts in round `t`; note the data if they are others."""
        self._active = [a for a in self._active if a.drift.until is None or t < a.drift.until]
        for drift in self._drifts:
            if drift.round == t:
                group = self._active[-1].after if self._active else self._at_first
                self._active.append(_Active(drift, self._now, self._deal(group, drift.to)))
        data, fault = self._at_first, ""
        if self._active:
            data, fault = self._active[-1].at(t), self._active[-1].drift.fault
        if not _equal(data, self._now):
            self._now = data
            self.changes.append(DataFrom(t, data, fault))


class Dealer:
    """Deals images of a group to one peer after the other.

    Args:
        split: peer -> the images that were dealt before; all peers have a group.
    """

    def __init__(
        self, split: Mapping[str, PeerData], pools: Pools, rng: np.random.Generator
    ) -> None:
        self._pools, self._rng = pools, rng
        self._members: dict[int, list[PeerData]] = defaultdict(list)
        for data in split.values():
            assert data.group is not None, "checked before: a drift needs data groups"
            self._members[data.group].append(data)
        self._classes: dict[int, list[ClassImages]] = {}
        self._common = self._dealt([*split.values()], reserve=True) if pools.by_class else None
        self._test_pools = [np.flatnonzero(pools.test_labels == c) for c in range(pools.n_classes)]

    def deal(self, had: PeerData, to: int | Literal["next"]) -> PeerData:
        """Return images of group `to`, as many as there are in `had`.

        Raises:
            ConfigError: there are no test images of the group's classes.
        """
        groups = sorted(self._members)
        if to == NEXT:
            assert had.group is not None
            to = groups[(groups.index(had.group) + 1) % len(groups)]
        counts = self._mix(to, len(had.train) + len(had.validation))
        train, validation = take_images(self._images(to), counts, self._rng)
        most = self._pools.at_most_test
        return PeerData(train, validation, draw_test(self._test_pools, counts, most, self._rng), to)

    def _mix(self, group: int, n_images: int) -> Counts:
        """Return how many images of each class a peer gets, in the proportions of the group's."""
        own = [i for each in self._members[group] for i in (each.train, each.validation)]
        labels = self._pools.train_labels[np.concatenate(own)]
        of_group = np.bincount(labels, minlength=self._pools.n_classes)
        return apportioned(n_images, of_group, self._rng)

    def _images(self, group: int) -> list[ClassImages]:
        if self._common:
            return self._common
        if group not in self._classes:
            self._classes[group] = self._dealt(self._members[group], reserve=False)
        return self._classes[group]

    def _dealt(self, given: Sequence[PeerData], reserve: bool) -> list[ClassImages]:
        """Return the images of each class after those of `given` were dealt.

        Args:
            reserve: what nobody has is to be dealt, too.
        """
        labels, found = self._pools.train_labels, []
        validated = np.unique(np.concatenate([each.validation for each in given]))
        trained = np.setdiff1d(np.concatenate([each.train for each in given]), validated)
        for c in range(self._pools.n_classes):
            dealt = [each[labels[each] == c] for each in (validated, trained)]
            left = np.setdiff1d(np.flatnonzero(labels == c), np.concatenate(dealt))
            unused = self._rng.permutation(left) if reserve else left[:0]
            found.append(ClassImages(unused, *map(self._rng.permutation, dealt)))
        return found


def _mixed(old: Indices, new: Indices, done: int, n: int) -> Indices:
    """Return `old` with done / n of it replaced by as large a share of `new`, ascending.

    Which images are replaced first is the same in every step: none comes back on the way.
    """
    kept = _shuffled(old)[round(len(old) * done / n) :]
    return np.union1d(kept, _shuffled(new)[: round(len(new) * done / n)])


def _shuffled(indices: Indices) -> Indices:
    return np.random.default_rng(len(indices)).permutation(indices)


def _equal(one: PeerData, other: PeerData) -> bool:
    return one is other or (
        one.group == other.group
        and np.array_equal(one.train, other.train)
        and np.array_equal(one.validation, other.validation)
        and np.array_equal(one.test, other.test)
    )
