"""Tables of a split: how many images of each class each peer has. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from prisam_p2p.learn.split_counts import Counts
from prisam_p2p.learn.splits import Indices, Labels, PeerData

Row = dict[str, int | str]


def class_counts(indices: Indices, labels: Labels, n_classes: int) -> Counts:
    """Count the images at `indices` in each class, shape (n_classes,)."""
    return np.bincount(labels[indices], minlength=n_classes)


def shared_images(split: Mapping[str, PeerData]) -> int:
    """Count the images that two or more peers have for training or validation."""
    return len(_held_by_several(split))


def split_table(split: Mapping[str, PeerData], train_labels: Labels, n_classes: int) -> list[Row]:
    """Return one row per peer, in the split's order; its keys are the columns, in their order.

    `class_0`, .. count the peer's images of each class for training and validation together;
    `train`, `validation` and `test` its images for each purpose; `shared` its images for training
    and validation that another peer has too. `group` is "" if the split has no groups.
    """
    several = _held_by_several(split)
    rows: list[Row] = []
    for peer, data in split.items():
        own = _own(data)
        row: Row = {"peer": peer, "group": "" if data.group is None else data.group}
        counts = class_counts(own, train_labels, n_classes).tolist()
        row |= {f"class_{c}": count for c, count in enumerate(counts)}
        row |= {"train": len(data.train), "validation": len(data.validation)}
        row |= {"test": len(data.test), "shared": int(np.isin(own, several).sum())}
        rows.append(row)
    return rows


def render_split(split: Mapping[str, PeerData], train_labels: Labels, n_classes: int) -> str:
    """Format `split_table` as text: a column per class under its number, a dot for no images."""
    rows = split_table(split, train_labels, n_classes)
    header = [column.removeprefix("class_") for column in rows[0]]
    cells = [
        [
            "." if key.startswith("class_") and not value else str(value)
            for key, value in row.items()
        ]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    lines = ["  ".join(map(str.rjust, line, widths)) for line in [header, *cells]]
    n_held = len(np.unique(np.concatenate([_own(data) for data in split.values()])))
    title = "Images per class (training and validation together), and the sizes of the sets."
    total = f"{n_held} different images; {shared_images(split)} of them are at two or more peers."
    return "\n".join([title, "", *lines, "", total, ""])


def _own(data: PeerData) -> Indices:
    return np.concatenate([data.train, data.validation])


def _held_by_several(split: Mapping[str, PeerData]) -> Indices:
    held, times = np.unique(np.concatenate([_own(d) for d in split.values()]), return_counts=True)
    return held[times > 1]
