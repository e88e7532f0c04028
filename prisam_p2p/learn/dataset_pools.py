"""The dataset type: a training and a test pool of labelled images, which are read on demand.

NumPy, and torch only for resizing. The other `dataset_*` modules read the files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from prisam_p2p.errors import ConfigError

Images = npt.NDArray[Any]
"""float32; or int64, where a data set of users' code has indices in place of numbers."""

Indices = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int64]
InputType = Literal["float32", "int64"]
Part = Literal["train", "test"]
Shape = tuple[int, ...]

MOMENT_IMAGES = 1_000
"""The most images that `channel_moments` reads."""


@dataclass(frozen=True, eq=False)
class Pool:
    """The images from which the peers' training data, or their test data, are taken.

    Attributes:
        labels: shape (n,), int64.
        read: indices, shape (m,) -> images, shape (m, C, H, W), float32, usually in [0, 1].
            Only this takes time. It may raise ConfigError for an unreadable file.
    """

    labels: Labels
    read: Callable[[Indices], Images]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled images of one size, in a training pool and a test pool.

    Attributes:
        name: as the user gave it.
        n_classes: labels are 0 .. n_classes - 1.
        image_shape: of an input that `images` returns: of an image (C, H, W), after resizing.
        mean: per channel, subtracted from every pixel; () = inputs are taken as they are.
        std: per channel, by which every pixel is then divided.
        dtype: of inputs, "float32" or "int64".
    """

    name: str
    n_classes: int
    image_shape: Shape
    train: Pool
    test: Pool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    dtype: InputType = "float32"

    @property
    def train_labels(self) -> Labels:
        """Labels of the training pool, shape (n,)."""
        return self.train.labels

    @property
    def test_labels(self) -> Labels:
        """Labels of the test pool, shape (n,)."""
        return self.test.labels

    def images(self, part: Part, indices: npt.ArrayLike) -> Images:
        """Read, resize and normalize the images at `indices` of one pool.

        Returns:
            Shape (n, *image_shape), float32, a new array, in the order of `indices`.

        Raises:
            ConfigError: an image file cannot be read, or differs in size from the first.
        """
        pool = self.train if part == "train" else self.test
        if not self.mean:
            return pool.read(np.asarray(indices, np.int64))
        images = resized(pool.read(np.asarray(indices, np.int64)), self.image_shape[1:])
        mean, std = (np.asarray(x, np.float32)[:, None, None] for x in (self.mean, self.std))
        normalized: Images = (images - mean) / std
        return normalized


def resized(images: Images, size: tuple[int, ...]) -> Images:
    """Resize images, shape (n, C, h, w), to `size` (H, W): bilinear, antialiased.

    The aspect ratio is not preserved. Images that have the size already are returned unchanged.
    """
    if images.shape[2:] == size or len(images) == 0:
        return images.reshape(*images.shape[:2], *size)
    import torch  # late: the import takes a second of CPU time, and most datasets do not need it

    small = torch.nn.functional.interpolate(
        torch.from_numpy(images), size=size, mode="bilinear", antialias=True
    )
    return np.asarray(small.numpy(), np.float32)


def array_pool(images: npt.NDArray[np.generic], labels: Labels, scale: float) -> Pool:
    """Return a pool of `images` in memory, shape (n, C, H, W); pixels are divided by `scale`."""

    def read(indices: Indices) -> Images:
        return np.ascontiguousarray(images[indices], np.float32) / np.float32(scale)

    return Pool(labels, read)


def channel_moments(pool: Pool) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and the standard deviation of the pixels of each channel.

    They are over all images of the pool, or over at most `MOMENT_IMAGES` of them at even steps
    from the first. The deviation of a constant channel is given as 1, to divide by it.
    """
    step = -(-len(pool.labels) // MOMENT_IMAGES)
    images = pool.read(np.arange(0, len(pool.labels), step))
    mean = images.mean(axis=(0, 2, 3), dtype=np.float64)
    std = images.std(axis=(0, 2, 3), dtype=np.float64)
    return tuple(mean.tolist()), tuple(np.where(std > 0, std, 1.0).tolist())


def check_classes(where: str, key: str, labels: Labels) -> int:
    """Return the number of classes in the training labels.

    Raises:
        ConfigError: they are not 0 .. K - 1 with K >= 2, each at least once.
    """
    classes = np.unique(labels)
    if len(classes) < 2 or not np.array_equal(classes, np.arange(len(classes))):
        right = "classes 0, 1, .. K - 1, two or more, each of them at least once"
        raise ConfigError(where, key, f"classes {_short(classes)}", right)
    return len(classes)


def _short(classes: Labels) -> str:
    shown = ", ".join(map(str, classes[:10].tolist()))
    return shown + (", .." if len(classes) > 10 else "")


def check_labels(where: str, key: str, labels: Labels, n_images: int, n_classes: int) -> None:
    """Check that labels fit the images and the classes.

    Args:
        where, key: file and key for the error.

    Raises:
        ConfigError: there are no images, the number of labels differs from that of images, or a
            label is outside 0 .. n_classes - 1.
    """
    if n_images == 0 or len(labels) != n_images:
        right = "one label for each image, and at least one"
        raise ConfigError(where, key, f"{len(labels)} labels, {n_images} images", right)
    wrong = labels[(labels < 0) | (labels >= n_classes)]
    if wrong.size:
        raise ConfigError(where, key, int(wrong[0]), f"labels from 0 to {n_classes - 1}")
