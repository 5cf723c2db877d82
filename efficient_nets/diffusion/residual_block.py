"""The block that denoising UNets and what stands in for their inner parts are made of, and the time that it is told."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TIME_SCALE = 1000.0
"""Times in 0..1 are embedded as if they were numbers of a thousand steps."""


class TimeEmbedding(nn.Module):
    """Sines and cosines of the time at rising periods, and a perceptron of two layers."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.channels = channels
        self.linear_1 = nn.Linear(channels, embedding)
        self.linear_2 = nn.Linear(embedding, embedding)

    def forward(self, time: Tensor) -> Tensor:
        """Times (N,) in 0..1 to (N, embedding)."""
        half = self.channels // 2
        rates = torch.exp(torch.arange(half, device=time.device) * (-math.log(10_000.0) / half))
        angles = TIME_SCALE * time[:, None] * rates
        waves = torch.cat((angles.cos(), angles.sin()), 1)
        embedding: Tensor = self.linear_2(F.silu(self.linear_1(waves)))
        return embedding


class ResidualBlock(nn.Module):
    """Two normalised 3x3 convolutions, the time added between them, and a way around both.

    The second convolution starts at zero, so that a new block only passes on, through a 1x1 convolution where the
    number of channels changes.
    """

    def __init__(self, inputs: int, outputs: int, embedding: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(math.gcd(groups, inputs), inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time_emb_proj = nn.Linear(embedding, outputs)
        self.norm2 = nn.GroupNorm(math.gcd(groups, outputs), outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        nn.init.zeros_(self.conv2.weight)
        assert self.conv2.bias is not None
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """``x`` (N, inputs, H, W), ``embedding`` (N, E), to (N, outputs, H, W)."""
        hidden = self.conv1(F.silu(self.norm1(x)))
        hidden = hidden + self.time_emb_proj(F.silu(embedding))[:, :, None, None]
        hidden = self.conv2(F.silu(self.norm2(hidden)))
        output: Tensor = self.conv_shortcut(x) + hidden
        return output
