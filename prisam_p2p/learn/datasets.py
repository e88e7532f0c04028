"""Open a dataset by the name or path of `--dataset`; the `dataset_*` modules read each kind."""

from __future__ import annotations

import difflib
from dataclasses import replace
from pathlib import Path

from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.catalog import DATASETS
from prisam_p2p.learn.dataset_digits import load_digits
from prisam_p2p.learn.dataset_folder import load_folder
from prisam_p2p.learn.dataset_idx import load_fashion_mnist
from prisam_p2p.learn.dataset_npz import load_npz
from prisam_p2p.learn.dataset_pools import Dataset, Part
from prisam_p2p.learn.dataset_torchvision import load_torchvision

__all__ = ["NAMES", "Dataset", "Part", "load_dataset"]

NAMES = tuple(DATASETS)


def load_dataset(
    name: str, data_dir: Path | None, download: bool, image_size: int | None
) -> Dataset:
    """Open a dataset: its labels are read now, its images on demand.

    Args:
        name: one of `NAMES`, or the path of an .npz file (relative to the working directory).
        data_dir: the directory of its files; digits and .npz files need none.
        download: let torchvision download missing files into `data_dir`.
        image_size: side in pixels of the square to which images are resized; None = no resizing.

    Raises:
        ConfigError: there is no such dataset, or its files are missing, damaged or inconsistent.
    """
    dataset = _open(name, data_dir, download, image_size)
    if image_size is None:
        return dataset
    return replace(dataset, image_shape=(dataset.image_shape[0], image_size, image_size))


def _open(name: str, data_dir: Path | None, download: bool, image_size: int | None) -> Dataset:
    match name:
        case "digits":
            return load_digits()
        case "fashion-mnist":
            return load_fashion_mnist(data_dir, download)
        case "cifar10" | "cifar100" | "svhn":
            return load_torchvision(name, data_dir, download)
        case "folder":
            return load_folder(data_dir, image_size)
        case _ if name.endswith(".npz"):
            return load_npz(name)
    nearest = difflib.get_close_matches(name.lower(), NAMES, n=1, cutoff=0.5)
    hint = f"{nearest[0]}? Otherwise " if nearest else ""
    right = f"{hint}one of {', '.join(NAMES)}, or the path of an .npz file"
    raise ConfigError("--dataset", "", name, right)
