"""CIFAR-10, CIFAR-100 and SVHN, read and downloaded by torchvision.

torchvision is imported only when one of these datasets is used.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.dataset_pools import Dataset, Pool, array_pool, check_labels

DOWNLOAD_TIMEOUT_S = 60.0
"""Longest silence of a download's server. torchvision itself has no timeout."""


@dataclass(frozen=True)
class _Known:
    """How torchvision names a dataset, and the moments of its training pixels in [0, 1].

    Attributes:
        folder: the folder below the root that holds the files; "" = the root itself.
        train, test: the arguments that select the training and the test part.
    """

    class_name: str
    n_classes: int
    folder: str
    train: dict[str, object]
    test: dict[str, object]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


KNOWN = {
    "cifar10": _Known(
        "CIFAR10", 10, "cifar-10-batches-py", {"train": True}, {"train": False},
        mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616),
    ),
    "cifar100": _Known(
        "CIFAR100", 100, "cifar-100-python", {"train": True}, {"train": False},
        mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762),
    ),
    "svhn": _Known(
        "SVHN", 10, "", {"split": "train"}, {"split": "test"},
        mean=(0.4377, 0.4438, 0.4728), std=(0.1980, 0.2010, 0.1970),
    ),
}  # fmt: skip
"""--dataset -> how to load it. The moments are over all pixels of the training images, to the
number of digits that is usual in published code."""


def load_torchvision(name: str, data_dir: Path | None, download: bool) -> Dataset:
    """Return one of the `KNOWN` datasets; all have images of 3x32x32.

    Sources: A. Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images" (CIFAR);
        Y. Netzer et al. 2011, "Reading Digits in Natural Images with Unsupervised Feature
        Learning" (SVHN).

    Raises:
        ConfigError: the files are missing or damaged, or cannot be downloaded.
    """
    known = KNOWN[name]
    directory = existing_directory(name, data_dir, download)
    if known.folder and directory.name == known.folder:
        directory = directory.parent
    train = _pool(name, known, known.train, directory, download)
    test = _pool(name, known, known.test, directory, download)
    return Dataset(name, known.n_classes, (3, 32, 32), train, test, known.mean, known.std)


def download_with_torchvision(class_name: str, directory: Path) -> None:
    """Download the missing files of a torchvision dataset that has a `train` argument.

    torchvision checks their MD5 sums.

    Raises:
        ConfigError: the download failed.
    """
    for train in (True, False):
        _construct(class_name, {"train": train}, directory, download=True)


def existing_directory(name: str, data_dir: Path | None, download: bool) -> Path:
    """Return --data-dir, which is created if the dataset `name` will be downloaded into it.

    Raises:
        ConfigError: --data-dir is not given, is no directory, or cannot be created.
    """
    if data_dir is None:
        right = f"the directory of {name}" + (" to download it into" if download else "")
        raise ConfigError("--data-dir", "", None, right)
    directory = data_dir.expanduser()
    try:
        if download:
            directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        right = f"a directory that can be created ({error.strerror})"
        raise ConfigError("--data-dir", "", str(directory), right) from error
    if not directory.is_dir():
        right = f"an existing directory that holds {name}, or --download"
        raise ConfigError("--data-dir", "", str(directory), right)
    return directory


def _pool(
    name: str, known: _Known, part: dict[str, object], directory: Path, download: bool
) -> Pool:
    try:
        dataset = _construct(known.class_name, part, directory, download=False)
    except RuntimeError as error:  # torchvision: "Dataset not found or corrupted"
        if not download:
            right = f"a directory with {name} as torchvision stores it; or --download"
            raise ConfigError("--data-dir", "", str(directory), right) from error
        dataset = _construct(known.class_name, part, directory, download=True)
    images: npt.NDArray[np.uint8] = dataset.data
    if images.shape[1] != 3:
        images = images.transpose(0, 3, 1, 2)  # CIFAR is (n, 32, 32, 3), SVHN (n, 3, 32, 32)
    found = dataset.labels if known.class_name == "SVHN" else dataset.targets
    labels = np.asarray(found, np.int64)
    check_labels(str(directory), name, labels, len(images), known.n_classes)
    return array_pool(images, labels, 255)


def _construct(class_name: str, part: dict[str, object], directory: Path, download: bool) -> Any:
    """Construct a torchvision dataset.

    CIFAR's files are Python pickles. This is the only place where this project loads a pickle;
    torchvision compares their MD5 sums with the published ones before.

    Raises:
        RuntimeError: files are missing or damaged, without `download`.
        ConfigError: the download failed.
    """
    from prisam_p2p.learn.torchvision_shim import import_torchvision  # imports torch

    make = getattr(import_torchvision().datasets, class_name)
    if not download:
        return make(root=str(directory), download=False, **part)
    try:
        with _socket_timeout(DOWNLOAD_TIMEOUT_S):
            return make(root=str(directory), download=True, **part)
    except (OSError, RuntimeError) as error:
        reason = str(error).split("\n")[0]
        right = f"a reachable server with the published files ({reason})"
        raise ConfigError("--download", "", class_name, right) from error


@contextmanager
def _socket_timeout(timeout_s: float) -> Iterator[None]:
    """Set the default timeout of sockets that are made inside the block."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(timeout_s)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
