"""The images that a split uses, decoded once and mapped by every process of the run.

They lie in a temporary file without a name: the kernel frees it with the last process that has
it open, however that one ends, and all processes map the same pages of memory.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from prisam_p2p.learn.dataset_pools import Dataset, Images, Indices, Labels, Part, Shape
from prisam_p2p.learn.splits import PeerData

BLOCK_IMAGES = 512
"""So many images are decoded before they are written."""


@dataclass(frozen=True)
class SharedImages:
    """Where the shared images are: plain numbers, the same for a child that inherits `fd`.

    The file holds the labels, int64, shape (n_images,), then the images, float32, shape
    (n_images, *image_shape), normalized, in this machine's byte order.

    Attributes:
        fd: a descriptor open for reading. A forked child has it; one that is spawned is given
            it by `subprocess.Popen(pass_fds=[fd])`, under the same number.
        n_images: images in the file, each of them once.
        image_shape: (C, H, W).
    """

    fd: int
    n_images: int
    image_shape: Shape

    def close(self) -> None:
        """Give the descriptor back, once; arrays that `open_shared` returned stay valid."""
        os.close(self.fd)


def share(
    dataset: Dataset, split: Mapping[str, PeerData]
) -> tuple[SharedImages, dict[str, PeerData]]:
    """Decode the images that `split` uses into a file without a name.

    Returns:
        Where they are (the caller closes it), and the split with indices into the shared arrays,
        training and test images alike.

    Raises:
        ConfigError: an image cannot be read.
        OSError: there is no room for them where temporary files go (TMPDIR).
    """
    train = _used([i for data in split.values() for i in (data.train, data.validation)])
    test = _used([data.test for data in split.values()])
    labels = np.concatenate([dataset.train_labels[train], dataset.test_labels[test]])
    with tempfile.TemporaryFile(prefix="prisam-") as file:
        file.write(labels.astype(np.int64).tobytes())
        _write_images(file, dataset, "train", train)
        _write_images(file, dataset, "test", test)
        file.flush()
        fd = os.dup(file.fileno())
    rows = {
        peer: replace(
            data,
            train=np.searchsorted(train, data.train),
            validation=np.searchsorted(train, data.validation),
            test=len(train) + np.searchsorted(test, data.test),
        )
        for peer, data in split.items()
    }
    return SharedImages(fd, len(labels), dataset.image_shape), rows


def open_shared(shared: SharedImages) -> tuple[Images, Labels]:
    """Map the shared images and labels, read-only; no pixel is read before it is looked at.

    Raises:
        ValueError: the file behind the descriptor has not the size that `shared` tells.
    """
    channels, height, width = shared.image_shape
    n_bytes = shared.n_images * (8 + 4 * channels * height * width)
    if os.fstat(shared.fd).st_size != n_bytes:
        size = os.fstat(shared.fd).st_size
        raise ValueError(f"{size} bytes behind descriptor {shared.fd}, not {n_bytes}")
    buffer = mmap.mmap(shared.fd, n_bytes, access=mmap.ACCESS_READ)  # leaves the offset alone
    labels = np.frombuffer(buffer, np.int64, shared.n_images)
    images = np.frombuffer(buffer, np.float32, offset=labels.nbytes)
    return images.reshape(shared.n_images, channels, height, width), labels


def let_go(images: Images) -> None:
    """Unmap the pages of shared images that were looked at; the next look maps them again."""
    base: object = images
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def _used(indices: list[Indices]) -> Indices:
    return np.unique(np.concatenate(indices))


def _write_images(file: BinaryIO, dataset: Dataset, part: Part, indices: Indices) -> None:
    for start in range(0, len(indices), BLOCK_IMAGES):
        images = dataset.images(part, indices[start : start + BLOCK_IMAGES])
        file.write(images.astype(np.float32).tobytes())
