"""Short texts: indices of letters, an embedding, a convolution and BatchNorm1d.

    prisam launch --dataset ./examples/text.py:numbers --model ./examples/text.py:text_net \
        --split iid
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from prisam_p2p.api import DataSpec

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LETTERS = " abcdefghijklmnopqrstuvwxyz"
LENGTH = 12


def numbers(data_dir: Path | None) -> tuple:
    """Return texts with one misspelt number each, which is to be found, as (train, test)."""
    rng = np.random.default_rng(0)
    labels = np.arange(1500) % len(WORDS)
    texts = np.zeros((len(labels), LENGTH), np.int64)
    for text, label in zip(texts, labels, strict=True):
        word = [LETTERS.index(letter) for letter in WORDS[label]]
        start = rng.integers(LENGTH - len(word) + 1)
        text[start : start + len(word)] = word
        text[rng.integers(LENGTH)] = rng.integers(len(LETTERS))
    return (texts[:1000], labels[:1000]), (texts[1000:], labels[1000:])


class TextNet(nn.Module):
    """Embedding, convolution over the letters, BN, the largest value of each channel."""

    def __init__(self, n_channels: int, n_classes: int) -> None:
        super().__init__()
        self.letters = nn.Embedding(len(LETTERS), 16)
        self.conv = nn.Conv1d(16, n_channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm1d(n_channels)
        self.classify = nn.Linear(n_channels, n_classes)

    def forward(self, texts: torch.Tensor) -> torch.Tensor:
        """Return logits of texts, shape (batch, LENGTH), int64."""
        features = self.norm(self.conv(self.letters(texts).transpose(1, 2))).relu()
        return self.classify(features.amax(2))


def text_net(data: DataSpec, width: float) -> nn.Module:
    """Return the network."""
    return TextNet(round(64 * width), data.n_classes)
