"""U-Net: the plain alternative to networks that look less.

Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.efficient_nets.networks.ffnet import convolution
from scaleflow.errors import UsageError

LEVELS = 5
"""Resolutions at which there are features: each half of the finer one, with twice its channels."""


class UNet(nn.Module):
    """Takes pictures (N, 3, H, W) in 0..1 and gives (N, outputs, H, W).

    Other than in the paper, convolutions keep the size and are followed by batch norm, and features are enlarged to the
    size of what they are joined with, so that pictures may have any size.

    Attributes:
        ends: names of the first and the last convolution.
    """

    ends = ("down.0.0.0", "head")

    def __init__(self, outputs: int, width: int, *, residual: bool = False) -> None:
        """With weights drawn by chance.

        Args:
            width: channels of the finest level; the paper's are 64.
            residual: what is found is added to the picture, for restoration; starts as the picture itself.
        """
        super().__init__()
        if min(outputs, width) < 1:
            raise UsageError(f"outputs = {outputs} and width = {width} must be 1 or more")
        if residual and outputs != 3:
            raise UsageError(f"outputs = {outputs}: what is added to a picture has 3 channels")
        channels = [2**level * width for level in range(LEVELS)]
        self.down = nn.ModuleList(map(_pair, [3, *channels], channels))
        self.up = nn.ModuleList([_pair(own + below, own) for own, below in pairwise(channels)])
        self.head = nn.Conv2d(width, outputs, 1)
        self.residual = residual
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if residual:
            for parameter in self.head.parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        features = [self.down[0]((x - 0.5) / 0.25)]
        for level in range(1, LEVELS):
            features.append(self.down[level](F.max_pool2d(features[-1], 2, ceil_mode=True)))
        y = features[-1]
        for level in range(LEVELS - 2, -1, -1):
            side = features[level]
            y = self.up[level](torch.cat((side, F.interpolate(y, size=side.shape[-2:], mode="bilinear")), 1))
        found: Tensor = self.head(y)
        return x + found if self.residual else found


def _pair(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(convolution(inputs, outputs, 3), convolution(outputs, outputs, 3))
