"""Motion coding: block-matched vectors to latents, latents to a scale-space flow.

Both transforms are the sum of a fixed start (the 2x2 Haar transform of the vectors, and its inverse) and of a network
that starts at zero, so that motion works before anything is learned.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.codec.models.layers import (
    Convolution,
    Downsample,
    ResidualBlock,
    Upsample,
    full_precision,
    steady_sigmoid,
    zero_start,
)
from scaleflow.codec.models.quality import QualityBias
from scaleflow.codec.models.scale_space import BLURRED_LEVELS
from scaleflow.codec.models.transforms import PICTURE_CHANNELS

VECTOR_LATENTS = 8
"""Latents that carry the vectors of 2x2 blocks of 8x8 samples: (x, y) times the four Haar coefficients."""

FLOW_SCALE = 8.0
"""Samples of motion per unit that the networks see."""


def haar_matrix() -> Tensor:
    """Orthonormal 8x8 matrix from four vectors, (x, y) by pixel-unshuffle order, to Haar coefficients."""
    haar = torch.tensor([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    return torch.block_diag(haar, haar)


class MotionAnalysis(nn.Module):
    """Vectors found by block matching, and how well they predict, to motion latents at a sixteenth of the size."""

    def __init__(self, latents: int, width: int = 48) -> None:
        super().__init__()
        if latents < VECTOR_LATENTS:
            raise ValueError(f"motion needs at least {VECTOR_LATENTS} latents, got {latents}")
        self.linear = Convolution(VECTOR_LATENTS, latents, 1, bias=False)
        with torch.no_grad():
            self.linear.weight.zero_()
            self.linear.weight[:VECTOR_LATENTS, :, 0, 0] = haar_matrix()
        self.stem = Convolution(2 + PICTURE_CHANNELS, width, 3, padding=1)
        self.bias = QualityBias(width)
        self.network = nn.Sequential(
            ResidualBlock(width),
            Downsample(width, 2 * width),
            ResidualBlock(2 * width),
            zero_start(Convolution(2 * width, latents, 1)),
        )

    def forward(self, vectors: Tensor, difference: Tensor, quality: Tensor) -> Tensor:
        """Motion latents.

        Args:
            vectors: (N, 2, h, w) in luma samples, one for each 8x8 block.
            difference: mean absolute difference of each plane between picture and block-wise prediction,
                (N, 6, h, w), in units of the packed samples.
            quality: (N,), 0..63.

        Returns:
            (N, latents, h / 2, w / 2).
        """
        features = self.stem(torch.cat((vectors / FLOW_SCALE, difference), 1))
        linear = full_precision(self.linear, F.pixel_unshuffle(vectors, 2))
        return linear + self.network(self.bias(features, quality)).float()


class FlowSynthesis(nn.Module):
    """Motion latents, beside the reference, to a flow and to what else a model says of each quarter position.

    Args:
        latents: channels of motion latents.
        width, fine_width: channels of the network at a sixteenth and an eighth, and at a quarter of the size.
        outputs: channels of the network's last layer, of which two change the flow.
    """

    def __init__(self, latents: int, width: int, fine_width: int, outputs: int) -> None:
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
        self.last = zero_start(Convolution(fine_width, outputs, 3, padding=1))

    def _synthesize(self, latents: Tensor, reference: Tensor, quality: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Flow (N, 2, 4 h, 4 w) in luma samples, the network's other outputs there, its features at an eighth.

        ``latents`` (N, C, h, w) at a sixteenth, ``reference`` packed (N, 6, 8 h, 8 w).
        """
        blocks = F.pixel_shuffle(full_precision(self.linear, latents), 2)
        flow = F.interpolate(blocks, scale_factor=2, mode="nearest")
        features = self.network(self.bias(self.stem(latents), quality))
        fine = self.to_fine(features)
        seen = F.leaky_relu(self.reference(F.pixel_unshuffle(reference, 2)), 0.1)
        joined = torch.cat((fine, seen.to(fine.dtype), (flow / FLOW_SCALE).to(fine.dtype)), 1)
        change = self.last(F.leaky_relu(self.fine(joined), 0.1)).float()
        return flow + FLOW_SCALE * change[:, :2], change[:, 2:], features


class MotionSynthesis(FlowSynthesis):
    """Motion latents, beside the reference, to flow and scale at a quarter of the size."""

    def __init__(self, latents: int, width: int = 48, fine_width: int = 32) -> None:
        super().__init__(latents, width, fine_width, outputs=3)

    def forward(self, latents: Tensor, reference: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Flow (N, 2, 4 h, 4 w) in luma samples and scale (N, 1, 4 h, 4 w) in levels.

        ``latents`` (N, C, h, w) at a sixteenth, ``reference`` packed (N, 6, 8 h, 8 w).
        """
        flow, other, _ = self._synthesize(latents, reference, quality)
        return flow, BLURRED_LEVELS * steady_sigmoid(other - 4)
