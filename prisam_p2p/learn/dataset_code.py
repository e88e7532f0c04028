"""A data set of users' code: a function that returns a training part and a test part.

The rules:

- The function takes the directory of --data-dir (None if none was given) and returns two parts.
- A part is a pair (inputs, labels) of arrays, tensors or data frames, or a torch `Dataset`, of
  which every item is such a pair. All of it is read when the run is planned.
- Inputs of uint8 with two or three axes each are images: they are divided by 255 and normalized
  per channel, like those of an .npz file. All others are given to the model as they are: numbers
  as float32, integers as int64 (indices of words, say).
- Labels are integers. The classes are 0 .. K - 1, each of them in the training part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions.calling import user_code
from prisam_p2p.learn.dataset_npz import channels_first
from prisam_p2p.learn.dataset_pools import (
    Dataset,
    InputType,
    Labels,
    Pool,
    array_pool,
    channel_moments,
    check_classes,
    check_labels,
)
from prisam_p2p.learn.dry_run import single_thread

_TYPES: dict[str, InputType] = {"f": "float32", "i": "int64"}
OPTION = "--dataset"
PARTS = "two parts, for training and for test; each (inputs, labels), or a torch Dataset of these"

Array = npt.NDArray[Any]


def dataset_from_code(
    function: Callable[[Path | None], object], name: str, data_dir: Path | None
) -> Dataset:
    """Return the data set that users' code returns, by the rules above.

    Args:
        name: as the user named the code.

    Raises:
        ConfigError: the code fails, or breaks one of the rules.
    """
    with user_code(OPTION, name), single_thread():
        parts: Any = function(data_dir)
        if not isinstance(parts, Sequence) or len(parts) != 2:
            raise ConfigError(OPTION, "", name, f"code that returns {PARTS}")
        (x_train, y_train), (x_test, y_test) = (_arrays(part, name) for part in parts)
    labels, test_labels = (_labels(y, name) for y in (y_train, y_test))
    n_classes = check_classes(name, "labels", labels)
    x_train, x_test = (_inputs(x, name) for x in (x_train, x_test))
    check_labels(name, "training labels", labels, len(x_train), n_classes)
    check_labels(name, "test labels", test_labels, len(x_test), n_classes)
    if x_train.shape[1:] != x_test.shape[1:] or x_train.dtype != x_test.dtype:
        right = f"test inputs like those for training: {_told(x_train)}, not {_told(x_test)}"
        raise ConfigError(OPTION, "", name, right)
    if x_train.dtype == np.uint8:
        return _images(name, n_classes, (x_train, labels), (x_test, test_labels))
    train, test = _pool(x_train, labels), _pool(x_test, test_labels)
    shape, dtype = x_train.shape[1:], _TYPES[x_train.dtype.kind]
    return Dataset(name, n_classes, shape, train, test, (), (), dtype)


def _arrays(part: Any, name: str) -> tuple[Array, Array]:
    if isinstance(part, tuple | list) and len(part) == 2:
        return np.asarray(part[0]), np.asarray(part[1])
    if not (hasattr(part, "__getitem__") and hasattr(part, "__len__")):
        raise ConfigError(OPTION, "", name, f"code that returns {PARTS}")
    items = [part[i] for i in range(len(part))]
    inputs = [np.asarray(item[0]) for item in items]
    return np.stack(inputs), np.array([int(item[1]) for item in items], np.int64)


def _labels(array: Array, name: str) -> Labels:
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        right = f"labels that are integers of shape (n,), not {_told(array)}"
        raise ConfigError(OPTION, "", name, right)
    return array.astype(np.int64)


def _inputs(array: Array, name: str) -> Array:
    """Return inputs as uint8 images (n, C, H, W), or as float32 or int64 of any shape."""
    kind = array.dtype.kind
    if kind not in "biuf" or array.ndim < 2 or 0 in array.shape[1:]:
        right = f"inputs that are numbers of shape (n, ...), not {_told(array)}"
        raise ConfigError(OPTION, "", name, right)
    if array.dtype == np.uint8 and array.ndim in (3, 4):
        return channels_first(array)
    if kind in "iu":
        return array.astype(np.int64)
    if not np.isfinite(array).all():
        raise ConfigError(OPTION, "", name, "inputs that are finite; some are NaN or infinite")
    return array.astype(np.float32)


def _images(
    name: str, n_classes: int, train: tuple[Array, Labels], test: tuple[Array, Labels]
) -> Dataset:
    pool = array_pool(*train, 255)
    moments = channel_moments(pool)
    return Dataset(
        name, n_classes, train[0].shape[1:], pool, array_pool(*test, 255), *moments, "float32"
    )


def _pool(inputs: Array, labels: Labels) -> Pool:
    return Pool(labels, lambda indices: inputs[indices])


def _told(array: Array) -> str:
    return f"{array.dtype} of shape {array.shape}"
