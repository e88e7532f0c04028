"""A dataset of a hundred classes: two of scikit-learn's digits side by side, 00 to 99.

It trains a network of a hundred classes where CIFAR-100 is not at hand.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits

_SCALE = np.ones((4, 2), np.uint8)
"""8 x 8 pixels become 32 high and 16 wide."""


def write_digit_pairs(path: Path, n_train: int, n_test: int) -> None:
    """Write an .npz of 32 x 32 RGB images, 0 to 255, and labels 0 to 99; every class appears."""
    digits = load_digits()
    images = (digits.images * (255 / 16)).astype(np.uint8)
    rng = np.random.default_rng(0)
    parts: dict[str, npt.NDArray[np.uint8]] = {}
    for part, n in (("train", n_train), ("test", n_test)):
        left, right = rng.integers(len(images), size=(2, n))
        pairs = np.concatenate([_large(images[left]), _large(images[right])], axis=2)
        parts[f"x_{part}"] = np.repeat(pairs[..., None], 3, axis=3)
        parts[f"y_{part}"] = (10 * digits.target[left] + digits.target[right]).astype(np.uint8)
        if len(np.unique(parts[f"y_{part}"])) < 100:
            raise ValueError(f"{n} images are too few for a hundred classes")
    np.savez(path, **parts)  # type: ignore[arg-type]


def _large(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.kron(images, _SCALE[None])
