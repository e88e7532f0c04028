"""Fashion-MNIST from the four IDX files that its authors publish, gzipped or not."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.dataset_pools import Dataset, Pool, array_pool, check_labels
from prisam_p2p.learn.dataset_torchvision import download_with_torchvision, existing_directory

N_CLASSES = 10
MEAN, STD = (0.2860,), (0.3530,)
"""Moments of the pixels, in [0, 1], of the 60,000 training images; computed from the files."""

FOLDERS = ("", "raw", "FashionMNIST/raw")
"""Where under --data-dir the files may be; torchvision puts them into the last of these."""

UNSIGNED_BYTE = 0x08


def load_fashion_mnist(data_dir: Path | None, download: bool) -> Dataset:
    """Return Fashion-MNIST, 60,000 training and 10,000 test images of 28x28 pixels.

    Source: H. Xiao, K. Rasul, R. Vollgraf 2017, "Fashion-MNIST", arXiv:1708.07747.

    Raises:
        ConfigError: a file is damaged, or is missing without `download`.
    """
    directory = existing_directory("fashion-mnist", data_dir, download)
    if download and any(_find(directory, name) is None for name in _file_names()):
        download_with_torchvision("FashionMNIST", directory)
    train, test = (_pool(directory, prefix) for prefix in ("train", "t10k"))
    return Dataset("fashion-mnist", N_CLASSES, (1, 28, 28), train, test, MEAN, STD)


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Return the array of unsigned bytes in an IDX file, which is gzipped if its name ends in .gz.

    The format: two zero bytes, a type code, the number of axes, the length of each axis as a
    big-endian u32, then the values in C order.

    Raises:
        ConfigError: the file cannot be read, is no IDX file of bytes, or is truncated.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        zeros, kind, n_axes = struct.unpack_from(">HBB", data)
        shape = struct.unpack_from(f">{n_axes}I", data, 4)
        if zeros != 0 or kind != UNSIGNED_BYTE:
            raise ValueError(f"starts with {data[:4].hex()}")
        return np.frombuffer(data, np.uint8, offset=4 + 4 * n_axes).reshape(shape)
    except (OSError, EOFError, zlib.error, struct.error, ValueError) as error:
        raise ConfigError(str(path), "", str(error), "a complete IDX file of bytes") from error


def _file_names() -> list[str]:
    parts = ("images-idx3-ubyte", "labels-idx1-ubyte")
    return [f"{prefix}-{part}" for prefix in ("train", "t10k") for part in parts]


def _find(directory: Path, name: str) -> Path | None:
    files = (directory / folder / f"{name}{end}" for folder in FOLDERS for end in ("", ".gz"))
    return next((file for file in files if file.is_file()), None)


def _pool(directory: Path, prefix: str) -> Pool:
    images = _read(directory, f"{prefix}-images-idx3-ubyte", (28, 28))
    labels = _read(directory, f"{prefix}-labels-idx1-ubyte", ()).astype(np.int64)
    check_labels(str(directory), f"{prefix}-labels", labels, len(images), N_CLASSES)
    return array_pool(images[:, None], labels, 255)


def _read(directory: Path, name: str, item_shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    path = _find(directory, name)
    if path is None:
        right = (
            f"a directory that contains {name}[.gz], itself or in raw/ or FashionMNIST/raw/; "
            "or --download"
        )
        raise ConfigError("--data-dir", "", str(directory), right)
    array = read_idx(path)
    if array.ndim == 0 or array.shape[1:] != item_shape:
        right = f"shape {('n', *item_shape)}".replace("'", "")
        raise ConfigError(str(path), "", f"shape {array.shape}", right)
    return array
