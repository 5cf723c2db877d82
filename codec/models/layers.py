"""Building blocks of the default model's transforms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NEGATIVE_SLOPE = 0.1


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a leaky ReLU, added to the input; starts close to the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Any (N, C, H, W); same shape."""
        change: Tensor = self.second(F.leaky_relu(self.first(x), NEGATIVE_SLOPE, inplace=True))
        return change.add_(x)


class Downsample(nn.Sequential):
    """2x2 convolution with stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 2, stride=2), nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True))


class Upsample(nn.Sequential):
    """1x1 convolution and pixel shuffle: twice the height and width."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, 4 * outputs, 1), nn.PixelShuffle(2), nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True)
        )


def zero_start(convolution: nn.Conv2d) -> nn.Conv2d:
    """Let a branch begin without effect: the codec starts as a linear transform and learns what to add."""
    nn.init.zeros_(convolution.weight)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return convolution


def full_precision(layer: nn.Module, x: Tensor) -> Tensor:
    """Run one layer in float32 under autocast: bfloat16 has too few digits for values of hundreds of steps."""
    with torch.autocast(x.device.type, enabled=False):
        result: Tensor = layer(x.float())
    return result


def round_through(values: Tensor) -> Tensor:
    """Round; the gradient passes as if nothing had happened."""
    return values + (values.round() - values).detach()
