"""The VGG networks with batch normalization of PRISAM's evaluation.

Both have 3x3 convolutions without bias, each followed by BN and ReLU, maximum pooling where the
plan has "M", then a global average pooling and one linear layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

Plan = Sequence[int | str]

VGG_S: Plan = (16, "M", 32, "M", 64, "M", 64)
"""Small enough for two CPU cores; its three poolings need images of at least 8x8."""

VGG_11: Plan = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")
"""VGG-11 of Simonyan & Zisserman 2015, configuration A, with one linear layer as for CIFAR."""


class Vgg(nn.Module):
    """A VGG network.

    Args:
        plan: channels of each convolution, "M" for a 2x2 maximum pooling.
        width: factor on the channels; a layer has at least 1.
        n_classes: number of outputs.
        in_channels: channels of an image.
    """

    def __init__(self, plan: Plan, width: float, n_classes: int, in_channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for step in plan:
            if step == "M":
                layers.append(nn.MaxPool2d(2))
                continue
            out = max(1, round(cast(int, step) * width))
            conv = nn.Conv2d(channels, out, 3, padding=1, bias=False)
            layers += [conv, nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
            channels = out
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (batch, n_classes), of images, shape (batch, C, H, W)."""
        return cast(torch.Tensor, self.classifier(self.features(x).mean((2, 3))))
