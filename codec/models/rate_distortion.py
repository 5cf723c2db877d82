"""Rate and distortion of pictures as one number, in training and in the encoder's refinement of latents."""

from __future__ import annotations

from torch import Tensor

from scaleflow.codec.distortion import DISTORTION_OVER_STEP
from scaleflow.codec.models.quality import quantization_step

ALIKE = (1.0, 1.0, 1.0)
"""Weights of Y, Cb and Cr that make it the mean over all samples."""


def squared_error(
    planes: tuple[Tensor, ...],
    decoded: tuple[Tensor, ...],
    weights: tuple[float, float, float] = ALIKE,
    emphasis: tuple[Tensor, ...] | None = None,
) -> Tensor:
    """Mean squared error of each picture, (N,), in squared code values of 8 bits.

    4:2:0 planes are weighed by ``weights`` for each of their samples. RGB is one plane of three channels. ``emphasis``
    multiplies the error of each sample, (N, 1, H, W) for each of the planes.
    """
    total, weight = planes[0].new_zeros(len(planes[0])), 0.0
    channel = 0
    for number, (ours, theirs) in enumerate(zip(planes, decoded, strict=True)):
        squares = (ours - theirs).square()
        error = (squares if emphasis is None else squares * emphasis[number]).mean((2, 3))
        for part in error.unbind(1):
            own = weights[channel % 3] * ours.shape[2] * ours.shape[3]
            total = total + own * part
            weight += own
            channel += 1
    return total * (255**2 / weight)


def rate_distortion_cost(
    bits_per_pixel: Tensor, error: Tensor, quality: Tensor, distortion_over_step: float = DISTORTION_OVER_STEP
) -> Tensor:
    """Bits a pixel and what the error amounts to in bits a pixel, of each picture, (N,).

    The slope is such that the quality's nominal quantization step is the optimal one. A 4:2:0 picture has 1.5 samples
    for each pixel.
    """
    return bits_per_pixel + 1.5 * error / (distortion_over_step * quantization_step(quality) ** 2)
