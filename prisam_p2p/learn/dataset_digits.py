"""scikit-learn's handwritten digits: 1,797 images of 8x8 pixels that need no download."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from prisam_p2p.learn.dataset_pools import Dataset, array_pool, channel_moments

N_CLASSES = 10
LARGEST_PIXEL = 16


def load_digits() -> Dataset:
    """Return the digits, with half of each class in the training and half in the test pool.

    Within a class, images go to the training and the test pool alternately, in file order, the
    first to the training pool. Mean and deviation are those of the training pool.

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (its
        test part), as scikit-learn ships it.
    """
    table = _table()
    images = table[:, :-1].reshape(-1, 1, 8, 8)
    labels = table[:, -1].astype(np.int64)
    odd = np.zeros(len(labels), np.bool_)
    for label in range(N_CLASSES):
        odd[np.flatnonzero(labels == label)[1::2]] = True
    train = array_pool(images[~odd], labels[~odd], LARGEST_PIXEL)
    test = array_pool(images[odd], labels[odd], LARGEST_PIXEL)
    return Dataset("digits", N_CLASSES, (1, 8, 8), train, test, *channel_moments(train))


def _table() -> npt.NDArray[np.float64]:
    """Return rows of 64 pixels and a label, shape (1797, 65).

    The file is read without importing scikit-learn, which takes over a second of CPU time. If a
    release does not have it there, scikit-learn loads it.
    """
    spec = find_spec("sklearn")  # finds the package, does not import it
    for folder in (spec.submodule_search_locations or []) if spec else []:
        file = Path(folder, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits as from_sklearn

    pixels, labels = from_sklearn(return_X_y=True)
    return np.column_stack([pixels, labels])
