"""A table: rows of figures, a network of linear layers with BatchNorm1d, a split of one's own.

    prisam launch --dataset ./examples/table.py:wine --model ./examples/table.py:mlp \
        --split ./examples/table.py:by_kind --grouping ./examples/table.py:nearest

`wine_frame` is the same data set from a pandas frame.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from sklearn.datasets import load_wine
from torch import nn

from prisam_p2p.api import DataSpec, Share


def wine(data_dir: Path | None) -> tuple:
    """Return scikit-learn's 178 wines of three kinds, 13 figures each, as (train, test)."""
    figures, kinds = load_wine(return_X_y=True)
    figures = (figures - figures.mean(axis=0)) / figures.std(axis=0)
    order = np.random.default_rng(0).permutation(len(kinds))
    train, test = order[:130], order[130:]
    return (figures[train], kinds[train]), (figures[test], kinds[test])


def wine_frame(data_dir: Path | None) -> tuple:
    """Return the same from a pandas frame, which --data-dir could hold as a file."""
    import pandas as pd

    figures, kinds = load_wine(return_X_y=True)
    frame = pd.DataFrame(figures).assign(kind=kinds).sample(frac=1, random_state=0)
    rows = frame.drop(columns="kind")
    rows = (rows - rows.mean()) / rows.std()
    return (rows[:130], frame.kind[:130]), (rows[130:], frame.kind[130:])


def mlp(data: DataSpec, width: float) -> nn.Module:
    """Return two hidden layers, each with BatchNorm1d."""
    n = round(32 * width)
    return nn.Sequential(
        nn.Linear(data.shape[0], n, bias=False),
        nn.BatchNorm1d(n),
        nn.ReLU(),
        nn.Linear(n, n, bias=False),
        nn.BatchNorm1d(n),
        nn.ReLU(),
        nn.Linear(n, data.n_classes),
    )


def by_kind(labels: np.ndarray, peers: Sequence[str], rng: np.random.Generator) -> dict[str, Share]:
    """Give half of the peers kind 0 and some of kind 1, the others the rest: two data groups."""
    half = len(peers) // 2
    ones = rng.permutation(np.flatnonzero(labels == 1))
    few, many = ones[: len(ones) // 3], ones[len(ones) // 3 :]
    parts = (
        (peers[:half], np.concatenate([np.flatnonzero(labels == 0), few])),
        (peers[half:], np.concatenate([np.flatnonzero(labels == 2), many])),
    )
    return {
        peer: Share(own, group)
        for group, (members, rows) in enumerate(parts)
        for peer, own in zip(
            members, np.array_split(rng.permutation(rows), len(members)), strict=True
        )
    }


def nearest(
    masks: Mapping[str, np.ndarray], me: str, k: int, rng: np.random.Generator
) -> dict[str, int]:
    """Put the half of the peers whose masks differ least from mine into my group."""
    order = sorted(masks, key=lambda peer: (int((masks[peer] ^ masks[me]).sum()), peer))
    mine = order[: max(2, len(order) // 2)]
    return {peer: 0 if peer in mine else 1 for peer in masks}
