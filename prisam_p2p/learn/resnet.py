"""The residual networks of PRISAM's evaluation, in their forms for small images.

Pre-activation ResNet-20 is the bottleneck form of He et al. 2016, "Identity Mappings in Deep
Residual Networks" (two blocks a stage); ResNet-18 is He et al. 2015 with a 3x3 stem.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn


def _conv(n_in: int, n_out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False)


class PreActivationBottleneck(nn.Module):
    """Three times BN-ReLU-conv (1x1, 3x3, 1x1), added to the input or to a 1x1 conv of it."""

    def __init__(self, n_in: int, n_mid: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(n_in)
        self.conv1 = _conv(n_in, n_mid, 1)
        self.bn2 = nn.BatchNorm2d(n_mid)
        self.conv2 = _conv(n_mid, n_mid, 3, stride)
        self.bn3 = nn.BatchNorm2d(n_mid)
        self.conv3 = _conv(n_mid, n_out, 1)
        same = stride == 1 and n_in == n_out
        self.shortcut = None if same else _conv(n_in, n_out, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the residual stream, shape (batch, n_out, H / stride, W / stride)."""
        out = self.conv1(self.bn1(x).relu())
        out = self.conv2(self.bn2(out).relu())
        out = self.conv3(self.bn3(out).relu())
        return cast(torch.Tensor, out + (x if self.shortcut is None else self.shortcut(x)))


class BasicBlock(nn.Module):
    """conv-BN-ReLU-conv-BN (3x3), added to the input or to a 1x1 conv and BN of it, then ReLU."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(n_in, n_out, 3, stride)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = _conv(n_out, n_out, 3)
        self.bn2 = nn.BatchNorm2d(n_out)
        same = stride == 1 and n_in == n_out
        self.shortcut = (
            None if same else nn.Sequential(_conv(n_in, n_out, 1, stride), nn.BatchNorm2d(n_out))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the residual stream, shape (batch, n_out, H / stride, W / stride)."""
        out = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return cast(torch.Tensor, out + (x if self.shortcut is None else self.shortcut(x))).relu()


class ResNet20(nn.Module):
    """Pre-activation bottleneck ResNet-20: stages of 16, 32, 64 inner and 4 x as many channels.

    Args:
        width: factor on the channels; a layer has at least 1.
        n_classes: number of outputs.
        in_channels: channels of an image.
    """

    def __init__(self, width: float, n_classes: int, in_channels: int) -> None:
        super().__init__()
        stem, *inner = (max(1, round(c * width)) for c in (16, 16, 32, 64))
        self.stem = _conv(in_channels, stem, 3)
        blocks: list[nn.Module] = []
        channels = stem
        for stage, n_mid in enumerate(inner):
            for block in range(2):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(PreActivationBottleneck(channels, n_mid, 4 * n_mid, stride))
                channels = 4 * n_mid
        self.blocks = nn.Sequential(*blocks)
        self.bn = nn.BatchNorm2d(channels)
        self.classifier = nn.Linear(channels, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (batch, n_classes), of images, shape (batch, C, H, W)."""
        features = self.bn(self.blocks(self.stem(x))).relu().mean((2, 3))
        return cast(torch.Tensor, self.classifier(features))


class ResNet18(nn.Module):
    """ResNet-18 for small images: a 3x3 stem without pooling, stages of 64, 128, 256, 512.

    Args:
        width: factor on the channels; a layer has at least 1.
        n_classes: number of outputs.
        in_channels: channels of an image.
    """

    def __init__(self, width: float, n_classes: int, in_channels: int) -> None:
        super().__init__()
        stages = [max(1, round(c * width)) for c in (64, 128, 256, 512)]
        self.stem = nn.Sequential(_conv(in_channels, stages[0], 3), nn.BatchNorm2d(stages[0]))
        blocks: list[nn.Module] = []
        channels = stages[0]
        for stage, n_out in enumerate(stages):
            for block in range(2):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(BasicBlock(channels, n_out, stride))
                channels = n_out
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(channels, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (batch, n_classes), of images, shape (batch, C, H, W)."""
        features = self.blocks(self.stem(x).relu()).mean((2, 3))
        return cast(torch.Tensor, self.classifier(features))
