"""A class's training images as a deck that is dealt to peers. Pure: no draw, no I/O."""

from __future__ import annotations

from itertools import islice

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


class Deck:
    """The shuffled images of a class, dealt from the top; it starts over when it is used up.

    What is dealt again is dealt for the same use: else a peer would train on what another of its
    group is judged by, and averaging with that group would look better than it is.

    Args:
        cards: the images, shape (n,), different from each other.
    """

    def __init__(self, cards: Indices) -> None:
        self._fresh: list[int] = cards.tolist()
        self._validated: list[int] = []
        self._trained: list[int] = []

    def deal(self, n_validation: int, n_train: int) -> tuple[Indices, Indices]:
        """Return images to validate on and to train on, all different; no more than there are."""
        n = n_validation + n_train
        fresh, self._fresh = self._fresh[:n], self._fresh[n:]
        validation, train = fresh[:n_validation], fresh[n_validation:]
        _again(self._validated, validation, n_validation)
        _again(self._trained, train, n_train)
        if len(validation) + len(train) < n:  # too few for one use each
            dealt = {*validation, *train}
            others = (c for c in self._trained + self._validated if c not in dealt)
            validation += islice(others, n_validation - len(validation))
            train += islice(others, n_train - len(train))
        return np.array(validation, np.int64), np.array(train, np.int64)


def _again(used: list[int], hand: list[int], wanted: int) -> None:
    """Fill `hand` with what was used the longest time ago; what it holds is used last now."""
    again = used[: wanted - len(hand)]
    used[:] = used[len(again) :] + hand + again
    hand += again
