"""One number for the rate: quality 0..63 sets a gain per latent channel, interpolated continuously between anchors.

Latents are multiplied by their gain before they are rounded, so a gain of 2 halves the quantization step. As in the
asymmetric-gain variable-rate codecs (Cui et al., "Asymmetric Gained Deep Image Compression With Continuous Rate
Adaptation", CVPR 2021) the gains are learned at a few anchors; unlike there, encoder and decoder use one gain and its
inverse, and gains are logarithms on a grid of 1/512 octave, so that they shift the index of the entropy coder's scale.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scaleflow.quality_range import HIGHEST_QUALITY

ANCHORS = 8
"""Learned points of each quality-dependent value, evenly spaced over 0..63."""

COARSEST_STEP, FINEST_STEP = 224.0 * 2**0.5, 3.5 * 0.5**0.5
"""Quantization steps at quality 0 and 63, in code values of 8 bits, where the transforms are orthonormal."""


def quantization_step(quality: Tensor) -> Tensor:
    """Nominal quantization step in code values of 8 bits, any shape of ``quality`` in 0..63."""
    return COARSEST_STEP * (FINEST_STEP / COARSEST_STEP) ** (quality / HIGHEST_QUALITY)


def interpolate_anchors(anchors: Tensor, quality: Tensor) -> Tensor:
    """Values for each quality, piecewise linear between anchors.

    Args:
        anchors: shape (ANCHORS, C).
        quality: shape (N,), 0..63.

    Returns:
        Shape (N, C).
    """
    position = quality.clamp(0, HIGHEST_QUALITY) * ((len(anchors) - 1) / HIGHEST_QUALITY)
    lower = position.floor().clamp(max=len(anchors) - 2)
    fraction = (position - lower)[:, None]
    lower = lower.long()
    return anchors[lower] * (1 - fraction) + anchors[lower + 1] * fraction


class QualityBias(nn.Module):
    """Adds a learned value per channel that depends on the quality, so that one network serves every rate."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.anchors = nn.Parameter(torch.zeros(ANCHORS, channels))

    def forward(self, features: Tensor, quality: Tensor) -> Tensor:
        """``features`` of shape (N, C, H, W), changed in place; ``quality`` of shape (N,)."""
        return features.add_(interpolate_anchors(self.anchors, quality)[:, :, None, None].to(features.dtype))


class LatentGain(nn.Module):
    """Logarithm to the base 2 of the gain of each latent channel."""

    def __init__(self, channels: int, coarsest: float, finest: float) -> None:
        """Start with the step ``coarsest`` at quality 0 and ``finest`` at 63, in units of the latents."""
        super().__init__()
        start = -torch.linspace(0, 1, ANCHORS)[:, None] * torch.log2(torch.tensor(finest / coarsest))
        self.anchors = nn.Parameter((start - torch.log2(torch.tensor(coarsest))).repeat(1, channels))

    def forward(self, quality: Tensor) -> Tensor:
        """``quality`` of shape (N,), 0..63; returns (N, C, 1, 1)."""
        return interpolate_anchors(self.anchors, quality)[:, :, None, None]
