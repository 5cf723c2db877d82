"""Motion of the recurrent model: latents to the flow of two references and how to blend them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.codec.models.layers import (
    Convolution,
    ResidualBlock,
    Upsample,
    full_precision,
    steady_sigmoid,
    zero_start,
)
from scaleflow.codec.models.motion import FLOW_SCALE, VECTOR_LATENTS, haar_matrix
from scaleflow.codec.models.quality import QualityBias
from scaleflow.codec.models.transforms import PICTURE_CHANNELS

FIRST_BLEND = -3.0
"""Logit of the second reference's share at first: the first has 95 % of the prediction."""


@dataclass(frozen=True)
class DecodedMotion:
    """Motion as the decoder has it.

    ``flow`` and ``second_flow`` (N, 2, H / 4, W / 4) in luma samples, to the previous picture and to the one before;
    ``blend`` (N, 1, H / 4, W / 4), the share of the second; ``features`` (N, F, H / 8, W / 8).
    """

    flow: Tensor
    second_flow: Tensor
    blend: Tensor
    features: Tensor


class MotionSynthesis(nn.Module):
    """Motion latents, beside the reference, to motion at a quarter of the size.

    The sum of a fixed start (the inverse Haar transform of the vectors of 8x8 blocks; steady motion for the second
    reference) and of a network that starts at zero, so that motion works before anything is learned.
    """

    def __init__(self, latents: int, width: int = 48, fine_width: int = 32) -> None:
        super().__init__()
        self.width = width
        self.linear = Convolution(latents, VECTOR_LATENTS, 1, bias=False)
        with torch.no_grad():
            self.linear.weight.zero_()
            self.linear.weight[:, :VECTOR_LATENTS, 0, 0] = haar_matrix().T
        self.stem = Convolution(latents, width, 1)
        self.bias = QualityBias(width)
        self.network = nn.Sequential(ResidualBlock(width), Upsample(width, width), ResidualBlock(width))
        self.to_fine = Upsample(width, fine_width)
        self.reference = Convolution(4 * PICTURE_CHANNELS, fine_width, 3, padding=1)
        self.fine = Convolution(2 * fine_width + 2, fine_width, 3, padding=1)
        self.last = zero_start(Convolution(fine_width, 5, 3, padding=1))

    def forward(self, latents: Tensor, reference: Tensor, quality: Tensor) -> DecodedMotion:
        """``latents`` (N, C, h, w) at a sixteenth, ``reference`` packed (N, 6, 8 h, 8 w)."""
        blocks = F.pixel_shuffle(full_precision(self.linear, latents), 2)
        flow = F.interpolate(blocks, scale_factor=2, mode="nearest")
        features = self.network(self.bias(self.stem(latents), quality))
        seen = F.leaky_relu(self.reference(F.pixel_unshuffle(reference, 2)), 0.1)
        fine = self.to_fine(features)
        joined = torch.cat((fine, seen.to(fine.dtype), (flow / FLOW_SCALE).to(fine.dtype)), 1)
        change = self.last(F.leaky_relu(self.fine(joined), 0.1)).float()
        flow = flow + FLOW_SCALE * change[:, :2]
        second_flow = 2 * flow + FLOW_SCALE * change[:, 2:4]
        blend = steady_sigmoid(change[:, 4:] + FIRST_BLEND)
        return DecodedMotion(flow, second_flow, blend, features)
