"""A folder of image files: train/CLASS/* and test/CLASS/* under --data-dir.

Opening the folder lists its files; an image is decoded when a peer uses it. The rules:

- Classes are the names of the directories, sorted; train/ and test/ must have the same ones.
- Images are files with one of the `SUFFIXES`; other files and hidden ones are ignored.
- If the first image of every class is gray, all images are read as gray (1 channel), else as RGB.
- All images have the size of the first; with --image-size, each is resized to that square.
- Pixels become (x - 0.5) / 0.25 with x in [0, 1], which needs no pass over the files.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.dataset_pools import Dataset, Images, Indices, Part, Pool, Shape, resized

LAYOUT = "directory with train/CLASS/* and test/CLASS/* images"
MEAN, STD = 0.5, 0.25
SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
GRAY_MODES = frozenset(("1", "L", "LA"))
DEEP_MODES = frozenset(("I", "I;16", "I;16B", "I;16L", "F"))
"""Pillow's modes of more than 8 bits a channel, which it would clip to 255."""

_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def load_folder(data_dir: Path | None, image_size: int | None) -> Dataset:
    """Return the images under `data_dir`, by the rules above.

    Args:
        image_size: side of the square to which images are resized; None = do not resize.

    Raises:
        ConfigError: a directory is missing, the classes differ, a class is empty, or the first
            image of a class cannot be read or has another size. Other images are checked, and
            raise this, when they are read.
    """
    if data_dir is None or not data_dir.expanduser().is_dir():
        value = None if data_dir is None else str(data_dir)
        raise ConfigError("--data-dir", "", value, f"an existing {LAYOUT}")
    directory = data_dir.expanduser()
    train, test = (_class_files(directory, part) for part in ("train", "test"))
    _check_classes(directory, list(train), list(test))
    firsts = [files[0] for files in (*train.values(), *test.values())]
    pixels = [_decode(file, "") for file in firsts]
    mode = "L" if all(image.ndim == 2 for image in pixels) else "RGB"
    height, width = (image_size, image_size) if image_size else pixels[0].shape[:2]
    shape = (1 if mode == "L" else 3, height, width)
    make = partial(_pool, mode=mode, shape=shape, resize=image_size is not None)
    dataset = Dataset(
        "folder", len(train), shape, make(train), make(test), (MEAN,) * shape[0], (STD,) * shape[0]
    )
    for pool in (dataset.train, dataset.test):
        pool.read(np.unique(pool.labels, return_index=True)[1])  # the first of each class
    return dataset


def _class_files(directory: Path, part: Part) -> dict[str, list[Path]]:
    """Return class name -> its image files, both sorted by name."""
    folder = directory / part
    if not folder.is_dir():
        raise ConfigError("--data-dir", "", str(directory), f"a {LAYOUT}; {part}/ is missing")
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    files = {name: _image_files(folder / name) for name in names if not name.startswith(".")}
    for name, found in files.items():
        if not found:
            right = f"image files ({', '.join(sorted(SUFFIXES))}) in every class directory"
            raise ConfigError("--data-dir", "", str(folder / name), right)
    return files


def _image_files(folder: Path) -> list[Path]:
    names = [e.name for e in os.scandir(folder) if not e.name.startswith(".") and e.is_file()]
    return [folder / n for n in sorted(names) if os.path.splitext(n)[1].lower() in SUFFIXES]


def _check_classes(directory: Path, train: Sequence[str], test: Sequence[str]) -> None:
    if len(train) < 2:
        right = "two or more class directories"
        raise ConfigError("--data-dir", "", str(directory / "train"), right)
    different = sorted(set(train) ^ set(test))
    if different:
        where = "train/" if different[0] in train else "test/"
        right = f"the same classes in train/ and test/; {different[0]!r} is only in {where}"
        raise ConfigError("--data-dir", "", str(directory), right)


def _pool(classes: dict[str, list[Path]], mode: str, shape: Shape, resize: bool) -> Pool:
    files = [file for found in classes.values() for file in found]
    sizes = [len(found) for found in classes.values()]
    labels = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)

    def read(indices: Indices) -> Images:
        images = np.empty((len(indices), *shape), np.float32)
        for row, index in enumerate(indices.tolist()):
            images[row] = _image(files[index], mode, shape, resize)
        return images

    return Pool(labels, read)


def _image(file: Path, mode: str, shape: Shape, resize: bool) -> Images:
    """Return one image, `shape` (C, H, W), in [0, 1]."""
    pixels = _decode(file, mode)
    image = pixels.reshape(*pixels.shape[:2], shape[0]).transpose(2, 0, 1)
    if image.shape != shape and not resize:
        sizes = (f"{width}x{height} pixels" for _, height, width in (image.shape, shape))
        found, first = sizes
        raise ConfigError(str(file), "", found, f"{first}, as in the first image; or --image-size")
    images = np.ascontiguousarray(image[None], np.float32) / np.float32(255)
    one: Images = resized(images, shape[1:])[0]
    return one


def _decode(file: Path, mode: str) -> npt.NDArray[np.uint8]:
    """Return the pixels, shape (H, W) for mode "L", (H, W, 3) for "RGB"; "" = the file's own."""
    try:
        with Image.open(file) as image:
            if image.mode in DEEP_MODES:
                raise ConfigError(str(file), "", f"Pillow mode {image.mode}", "8 bits a channel")
            own = "L" if image.mode in GRAY_MODES else "RGB"
            return np.asarray(image.convert(mode or own))
    except _UNREADABLE as error:
        right = f"an image that Pillow can read ({type(error).__name__})"
        raise ConfigError(str(file), "", "unreadable", right) from error
