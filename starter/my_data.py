"""A data set of your own: a function that returns a training and a test part.

    prisam launch my-network --dataset ./my_data.py:waves --model ./my_model.py:net

A part is a pair of inputs and labels. Both may be arrays, tensors or pandas objects. Yours are
probably in a file; `--data-dir` tells the function where:

    def mine(data_dir):
        frame = pandas.read_csv(data_dir / "mine.csv")
        inputs, labels = frame.drop(columns="kind"), frame["kind"]
        return (inputs[:900], labels[:900]), (inputs[900:], labels[900:])
"""

from pathlib import Path

import numpy as np

KINDS = 8
"""Labels are the integers from 0 to KINDS - 1."""
TRAIN, TEST = 900, 300
LENGTH = 32
"""Samples of a signal."""


def waves(data_dir: Path | None) -> tuple:
    """Return noisy sine waves of eight frequencies; which one, is to be found out."""
    rng = np.random.default_rng(0)  # a seed, so that every run and every peer has the same data
    labels = rng.integers(KINDS, size=TRAIN + TEST)
    time = np.arange(LENGTH) / LENGTH
    phase = rng.uniform(0, 0.5, (len(labels), 1))
    signals = np.sin(2 * np.pi * ((1 + labels[:, None]) * time + phase))
    signals += rng.normal(0, 0.3, signals.shape)
    return (signals[:TRAIN], labels[:TRAIN]), (signals[TRAIN:], labels[TRAIN:])
