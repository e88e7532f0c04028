"""A small convolutional network with squeeze-and-excitation blocks (Hu et al. 2018, CVPR).

prisam launch --model ./examples/se_net.py:se_net
"""

import torch
from torch import nn

from prisam_p2p.api import DataSpec


class SeBlock(nn.Module):
    """Convolution, BN, and a factor in (0, 1) for each channel that all channels decide."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(n_out)
        self.squeeze, self.excite = nn.Conv2d(n_out, 4, 1), nn.Conv2d(4, n_out, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the scaled channels, half as high and wide."""
        x = self.norm(self.conv(x)).relu()
        factors = self.excite(self.squeeze(x.mean((2, 3), keepdim=True)).relu()).sigmoid()
        return nn.functional.max_pool2d(x * factors, 2)


def se_net(data: DataSpec, width: float) -> nn.Module:
    """Return the network for images of at least 4x4."""
    n = round(16 * width)
    blocks = nn.Sequential(SeBlock(data.shape[0], n), SeBlock(n, 2 * n))
    return nn.Sequential(
        blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * n, data.n_classes)
    )
