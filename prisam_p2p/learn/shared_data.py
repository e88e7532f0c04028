"""Decode the images of a run once, and map them into every process.

They are in an unlinked temporary file: all processes map the same pages of memory, and the kernel
frees the file with the last process that has it open, however that process ends.
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO, TypeVar

import numpy as np

from prisam_p2p.errors import ResourceError
from prisam_p2p.learn.dataset_pools import Dataset, Images, Indices, InputType, Labels, Part, Shape
from prisam_p2p.learn.splits import PeerData

Key = TypeVar("Key")
"""Whose images they are: a peer, or a peer from a round on."""

BLOCK_IMAGES = 512
"""Number of images that are decoded and written at a time."""


@dataclass(frozen=True)
class SharedImages:
    """A reference to the shared images, valid in any child process that inherits `fd`.

    The file holds the labels, int64, shape (n_images,), then the normalized images (or other
    inputs), of `dtype`, shape (n_images, *image_shape), in this machine's byte order.

    Attributes:
        fd: a descriptor open for reading. Forked children inherit it; spawned ones need
            `subprocess.Popen(pass_fds=[fd])`, which keeps its number.
        n_images: number of images in the file; each is there once.
        image_shape: of one input; (C, H, W) of an image.
        dtype: of inputs, "float32" or "int64".
    """

    fd: int
    n_images: int
    image_shape: Shape
    dtype: InputType = "float32"

    def close(self) -> None:
        """Close the descriptor (call once); arrays of `open_shared` stay valid."""
        os.close(self.fd)


def share(
    dataset: Dataset, split: Mapping[Key, PeerData]
) -> tuple[SharedImages, dict[Key, PeerData]]:
    """Decode the images that `split` uses into an unlinked temporary file.

    Returns:
        The reference to them, which the caller closes, and the split with all its indices, those
        of training and of test images, into the shared arrays.

    Raises:
        ConfigError: an image cannot be read.
        ResourceError: the directory for temporary files (TMPDIR) takes no more.
    """
    train = _used([i for data in split.values() for i in (data.train, data.validation)])
    test = _used([data.test for data in split.values()])
    labels = np.concatenate([dataset.train_labels[train], dataset.test_labels[test]])
    with _temporary_file() as file:
        file.write(labels.astype(np.int64).tobytes())
        _write_images(file, dataset, "train", train)
        _write_images(file, dataset, "test", test)
        file.flush()
        fd = os.dup(file.fileno())
    rows = {
        key: replace(
            data,
            train=np.searchsorted(train, data.train),
            validation=np.searchsorted(train, data.validation),
            test=len(train) + np.searchsorted(test, data.test),
        )
        for key, data in split.items()
    }
    return SharedImages(fd, len(labels), dataset.image_shape, dataset.dtype), rows


def open_shared(shared: SharedImages) -> tuple[Images, Labels]:
    """Map the shared images and labels.

    Returns:
        Images, shape (n_images, *image_shape), and labels, shape (n_images,), both read-only. The
        kernel loads a page when it is first accessed.

    Raises:
        ValueError: the file of the descriptor has not the size that follows from `shared`.
    """
    dtype = np.dtype(shared.dtype)
    n_bytes = shared.n_images * (8 + dtype.itemsize * math.prod(shared.image_shape))
    if os.fstat(shared.fd).st_size != n_bytes:
        size = os.fstat(shared.fd).st_size
        raise ValueError(f"the file of descriptor {shared.fd} has {size} bytes, not {n_bytes}")
    buffer = mmap.mmap(shared.fd, n_bytes, access=mmap.ACCESS_READ)
    labels = np.frombuffer(buffer, np.int64, shared.n_images)
    images = np.frombuffer(buffer, dtype, offset=labels.nbytes)
    return images.reshape(shared.n_images, *shared.image_shape), labels


def release_pages(images: Images) -> None:
    """Drop the pages of shared images from this process; the next access maps them again."""
    base: object = images
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


@contextmanager
def _temporary_file() -> Iterator[BinaryIO]:
    folder = tempfile.gettempdir()
    try:
        with tempfile.TemporaryFile(prefix="prisam-", dir=folder) as file:
            yield file
    except OSError as error:
        to_do = "free space there, or set TMPDIR to a folder with more"
        raise ResourceError(folder, error.strerror or str(error), to_do) from error


def _used(indices: list[Indices]) -> Indices:
    return np.unique(np.concatenate(indices))


def _write_images(file: BinaryIO, dataset: Dataset, part: Part, indices: Indices) -> None:
    for start in range(0, len(indices), BLOCK_IMAGES):
        images = dataset.images(part, indices[start : start + BLOCK_IMAGES])
        file.write(images.astype(dataset.dtype).tobytes())
