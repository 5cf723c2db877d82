"""What symbols cost under Gaussians whose standard deviation is a power of two, as one differentiable operation.

Written out, the likelihood takes a dozen passes over memory forward and more backward; here are two, and where it is
too small for floating point, the cost goes on rising as the exponent of the Gaussian does.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from scaleflow.codec.models.hyperprior import SMALLEST_SCALE

HIGHEST_OCTAVE = 12.875
"""Of the entropy coder's grid: scales are ``SMALLEST_SCALE * 2 ** octave``, octave 0 to this."""

_LEAST = 1e-9
"""Likelihood below which the exponent is taken for the cost."""

_EDGE = 5.998
"""Deviations beyond which a Gaussian has less than this."""

_FARTHEST = 16.0
"""Deviations from which on the cost rises no further: such symbols are escaped."""


def gaussian_bits(residues: Tensor, octaves: Tensor) -> Tensor:
    """Bits of each residue, a symbol that is rounded or has noise in place of rounding, under a bin of width one.

    Args:
        residues: differences from the mean, in quantization steps, any shape, float32.
        octaves: logarithm to the base 2 of the scale over ``SMALLEST_SCALE``, same shape; what lies outside of the
            grid counts as its end, with a gradient that leads back only.
    """
    bits: Tensor = _GaussianBits.apply(residues, octaves)
    return bits


class _GaussianBits(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, residues: Tensor, octaves: Tensor) -> Tensor:
        scale = torch.exp2(octaves.clamp(0, HIGHEST_OCTAVE)).mul_(SMALLEST_SCALE)
        size = residues.abs()
        lower, upper = (size - 0.5) / scale, (size + 0.5) / scale
        likelihood = (torch.erfc(lower * math.sqrt(0.5)) - torch.erfc(upper * math.sqrt(0.5))).mul_(0.5)
        far = likelihood < _LEAST
        bits = -torch.log2(likelihood.clamp_min(_LEAST))
        if bool(far.any()):
            beyond = lower.clamp(_EDGE, _FARTHEST)
            bits = torch.where(far, bits + (beyond.square() - _EDGE**2) / (2 * math.log(2)), bits)
        ctx.save_for_backward(residues, octaves, scale, lower, upper, likelihood)
        return bits

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = gradients
        residues, octaves, scale, lower, upper, likelihood = ctx.saved_tensors
        norm = 1 / math.sqrt(2 * math.pi)
        at_lower = torch.exp(lower.square() * -0.5).mul_(norm)
        at_upper = torch.exp(upper.square() * -0.5).mul_(norm)
        weight = -1 / (likelihood.clamp_min(_LEAST) * math.log(2))
        by_size = weight * (at_upper - at_lower) / scale
        by_octave = weight * (lower * at_lower - upper * at_upper) * math.log(2)
        far = likelihood < _LEAST
        if bool(far.any()):
            beyond = lower.clamp(_EDGE, _FARTHEST)
            by_size = torch.where(far, beyond / (scale * math.log(2)), by_size)
            by_octave = torch.where(far, -beyond.square(), by_octave)
        by_octave = gradient * by_octave
        # outside of the grid only what leads back into it is passed on
        outside = ((octaves < 0) & (by_octave > 0)) | ((octaves > HIGHEST_OCTAVE) & (by_octave < 0))
        return gradient * by_size * residues.sign(), by_octave.masked_fill_(outside, 0)
