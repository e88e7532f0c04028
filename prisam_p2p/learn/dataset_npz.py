"""The user's own arrays: an .npz file with x_train, y_train, x_test and y_test.

The rules:

- x_*: uint8 (divided by 255) or float (taken as it is), all finite, with the shape (n, H, W),
  (n, H, W, C) or (n, C, H, W). Of four axes, the channels are the smaller of the second and the
  last one, and the last if these are equal.
- y_*: integers, shape (n,) or (n, 1). The classes are 0 .. K - 1, each of them in y_train.
- Mean and deviation are those of x_train (see `channel_moments`).
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.dataset_pools import (
    Dataset,
    Labels,
    Pool,
    Shape,
    array_pool,
    channel_moments,
    check_classes,
    check_labels,
)

Array = npt.NDArray[np.generic]

KEYS = ("x_train", "y_train", "x_test", "y_test")
_UNREADABLE = (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error)


def load_npz(name: str) -> Dataset:
    """Return the dataset in the file `name`, a path ending in .npz.

    Raises:
        ConfigError: the file does not exist, or breaks one of the rules above.
    """
    arrays = _arrays(Path(name).expanduser(), name)
    y_train, y_test = (_labels(name, key, arrays[key]) for key in ("y_train", "y_test"))
    n_classes = check_classes(name, "y_train", y_train)
    train, shape = _pool(name, "x_train", arrays["x_train"], y_train, n_classes)
    test, test_shape = _pool(name, "x_test", arrays["x_test"], y_test, n_classes)
    if shape != test_shape:
        raise ConfigError(name, "x_test", f"images {test_shape}", f"images {shape}, as in x_train")
    return Dataset(name, n_classes, shape, train, test, *channel_moments(train))


def _arrays(path: Path, name: str) -> dict[str, Array]:
    if not path.is_file():
        raise ConfigError("--dataset", "", name, "the path of an existing .npz file")
    if not zipfile.is_zipfile(path):
        raise ConfigError(name, "", "not a zip archive", "an .npz file, as numpy.savez writes it")
    arrays: dict[str, Array] = {}
    key = ""
    try:
        with np.load(path, allow_pickle=False) as file:
            for key in KEYS:
                if key not in file:
                    found = ", ".join(file.files) or "nothing"
                    raise ConfigError(name, key, f"absent; found {found}", "an array of this name")
                arrays[key] = file[key]
    except _UNREADABLE as error:
        right = "an array that numpy reads without pickle"
        raise ConfigError(name, key, str(error).split("\n")[0], right) from error
    return arrays


def _labels(name: str, key: str, array: Array) -> Labels:
    one_axis = array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)
    if not one_axis or not np.issubdtype(array.dtype, np.integer):
        right = "integers of shape (n,)"
        raise ConfigError(name, key, f"{array.dtype} of shape {array.shape}", right)
    return array.reshape(-1).astype(np.int64)


def _pool(name: str, key: str, array: Array, labels: Labels, n_classes: int) -> tuple[Pool, Shape]:
    floats = np.issubdtype(array.dtype, np.floating)
    if array.ndim not in (3, 4) or 0 in array.shape[1:] or not (floats or array.dtype == np.uint8):
        right = "uint8 or float of shape (n, H, W), (n, H, W, C) or (n, C, H, W)"
        raise ConfigError(name, key, f"{array.dtype} of shape {array.shape}", right)
    if floats and not np.isfinite(array).all():
        raise ConfigError(name, key, "NaN or infinity", "finite numbers")
    check_labels(name, key.replace("x", "y"), labels, len(array), n_classes)
    images = channels_first(array)
    _, channels, height, width = images.shape
    return array_pool(images, labels, 1 if floats else 255), (channels, height, width)


def channels_first(array: Array) -> Array:
    """Return images (n, H, W), (n, H, W, C) or (n, C, H, W) as (n, C, H, W)."""
    if array.ndim == 3:
        return array[:, None]
    return array if array.shape[1] < array.shape[3] else array.transpose(0, 3, 1, 2)
