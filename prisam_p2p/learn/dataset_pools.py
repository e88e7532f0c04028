"""What a dataset is: two pools of labelled images, read when asked for.

NumPy, and torch only to resize. No files here: the `dataset_*` modules beside this one read them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from prisam_p2p.errors import ConfigError

Images = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int64]
Part = Literal["train", "test"]
Shape = tuple[int, int, int]

MOMENT_IMAGES = 1_000
"""`channel_moments` looks at no more images than this."""


@dataclass(frozen=True, eq=False)
class Pool:
    """The images that peers' training data (or test data) is dealt from.

    Attributes:
        labels: shape (n,), int64.
        read: indices, shape (m,) -> images, shape (m, C, H, W), float32, as a rule in [0, 1].
            The only thing that costs time; may raise ConfigError for a file that is no image.
    """

    labels: Labels
    read: Callable[[Indices], Images]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled images of one size, in a training pool and a test pool.

    Attributes:
        name: as the user gave it.
        n_classes: labels are 0 .. n_classes - 1.
        image_shape: (C, H, W) of what `images` returns, after resizing.
        mean: per channel, subtracted from every pixel.
        std: per channel, divides every pixel after that.
    """

    name: str
    n_classes: int
    image_shape: Shape
    train: Pool
    test: Pool
    mean: tuple[float, ...]
    std: tuple[float, ...]

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
            Shape (n, *image_shape), float32, a new array.

        Raises:
            ConfigError: an image file cannot be read, or has another size than the first.
        """
        pool = self.train if part == "train" else self.test
        images = resized(pool.read(np.asarray(indices, np.int64)), self.image_shape[1:])
        mean, std = (np.asarray(x, np.float32)[:, None, None] for x in (self.mean, self.std))
        return (images - mean) / std


def resized(images: Images, size: tuple[int, int]) -> Images:
    """Return `images`, shape (n, C, h, w), at `size` (H, W): bilinear, antialiased.

    The aspect ratio is not kept; images that have the size already are returned as they are.
    """
    if images.shape[2:] == size or len(images) == 0:
        return images.reshape(*images.shape[:2], *size)
    import torch  # a second of CPU time that most datasets do not need

    small = torch.nn.functional.interpolate(
        torch.from_numpy(images), size=size, mode="bilinear", antialias=True
    )
    return np.asarray(small.numpy(), np.float32)


def array_pool(images: npt.NDArray[np.generic], labels: Labels, scale: float) -> Pool:
    """Return the pool of an array in memory, shape (n, C, H, W); pixels are divided by `scale`."""

    def read(indices: Indices) -> Images:
        return np.ascontiguousarray(images[indices], np.float32) / np.float32(scale)

    return Pool(labels, read)


def channel_moments(pool: Pool) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and the standard deviation of the pixels of each channel.

    They are taken over all images of the pool, or over at most `MOMENT_IMAGES` of them at even
    steps from the first. A constant channel has a deviation of 1, so that it stays finite.
    """
    step = -(-len(pool.labels) // MOMENT_IMAGES)
    images = pool.read(np.arange(0, len(pool.labels), step))
    mean = images.mean(axis=(0, 2, 3), dtype=np.float64)
    std = images.std(axis=(0, 2, 3), dtype=np.float64)
    return tuple(mean.tolist()), tuple(np.where(std > 0, std, 1.0).tolist())


def check_labels(where: str, key: str, labels: Labels, n_images: int, n_classes: int) -> None:
    """Refuse labels that do not fit the images or the classes.

    Raises:
        ConfigError: (at `where`, `key`) another number of labels than of images, no images, or
            a label outside 0 .. n_classes - 1.
    """
    if n_images == 0 or len(labels) != n_images:
        right = "one label for each image, and at least one"
        raise ConfigError(where, key, f"{len(labels)} labels, {n_images} images", right)
    wrong = labels[(labels < 0) | (labels >= n_classes)]
    if wrong.size:
        raise ConfigError(where, key, int(wrong[0]), f"labels from 0 to {n_classes - 1}")
