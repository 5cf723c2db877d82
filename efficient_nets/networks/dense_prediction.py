"""Encoder and decoder for what has a value at every place: labels, heatmaps."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Backbone(Protocol):
    """A module that gives features at four scales.

    Attributes:
        channels: of the features at a 4th, 8th, 16th and 32nd of the resolution.
        first: name of the first convolution, or of a module that holds it alone.
        mean, deviation: of the RGB samples in 0..1 that its weights were trained on, by channel.
    """

    channels: tuple[int, int, int, int]
    first: str
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        """Features of pictures (N, 3, H, W)."""


class DensePredictionNetwork(nn.Module):
    """A backbone and a feature pyramid with a 3x3 convolution at each scale: Lin et al., CVPR 2017, with one output.

    Takes pictures (N, 3, H, W) in 0..1, of any size, and gives (N, outputs, H / 4, W / 4), rounded up. Every layer with
    weights is a convolution, so that all of it can be accelerated on video.

    Attributes:
        ends: names of the first and the last convolution.
    """

    def __init__(self, backbone: Backbone, outputs: int, channels: int) -> None:
        """``channels`` are those of the decoder."""
        super().__init__()
        assert isinstance(backbone, nn.Module)
        self.ends = (f"backbone.{backbone.first}", "head")
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.tensor(backbone.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(backbone.deviation).view(3, 1, 1), persistent=False)
        self.backbone: nn.Module = backbone
        self.lateral = nn.ModuleList([nn.Conv2d(inputs, channels, 1) for inputs in backbone.channels])
        self.smooth = nn.ModuleList([_smooth(channels) for _ in backbone.channels])
        self.head = nn.Conv2d(channels, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        features = self.backbone((x - self.mean) / self.deviation)
        y: Tensor = self.smooth[3](self.lateral[3](features[3]))
        for scale in (2, 1, 0):
            side = self.lateral[scale](features[scale])
            y = self.smooth[scale](side + F.interpolate(y, size=side.shape[-2:], mode="bilinear"))
        output: Tensor = self.head(y)
        return output


def _smooth(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
    )
