"""Rate and distortion as one number."""

from __future__ import annotations

import math

import torch
from pytorch_msssim import ms_ssim
from torch import Tensor

from scaleflow.codec.models.quality import quantization_step
from scaleflow.codec.models.rate_distortion import rate_distortion_cost, squared_error
from scaleflow.training.codec.configuration import LossConfig

LEAST_MS_SSIM_SIDE = 161
"""Four halvings of an 11-tap window leave nothing of smaller pictures."""


def structural_error(planes: tuple[Tensor, ...], decoded: tuple[Tensor, ...]) -> Tensor:
    """1 - MS-SSIM of luma or of RGB, (N,); smaller pictures than 161 are not possible.

    Raises:
        ValueError: the pictures are too small.
    """
    if min(planes[0].shape[2:]) < LEAST_MS_SSIM_SIDE:
        raise ValueError(f"MS-SSIM needs crops of {LEAST_MS_SSIM_SIDE} and more, not {tuple(planes[0].shape[2:])}")
    similarity: Tensor = ms_ssim(planes[0].float(), decoded[0].float(), data_range=1.0, size_average=False)
    return 1 - similarity


MS_SSIM_SCALE = 2500.0
"""Squared code values that 1 - MS-SSIM of one is taken for, so that both distortions share their slope roughly."""


def distortion(planes: tuple[Tensor, ...], decoded: tuple[Tensor, ...], config: LossConfig) -> Tensor:
    """Of each picture, (N,), in squared code values of 8 bits (MS-SSIM: scaled to be comparable)."""
    if config.distortion == "ms-ssim":
        return MS_SSIM_SCALE * structural_error(planes, decoded)
    return squared_error(planes, decoded, config.weights)


CHROMA_WEIGHTS = ((10.0, 3.0), (30.0, 1.9), (50.0, 0.7))
"""Qualities, and what an error of chroma should weigh there beside one of luma: measured where PSNR-YUV is the measure
(6:1:1, in decibels), which asks for better chroma the coarser a picture is. Between them the logarithm is linear."""

HIGHEST_CHROMA_WEIGHT, LOWEST_CHROMA_WEIGHT = 3.8, 0.5


def chroma_weight(quality: Tensor) -> Tensor:
    """What an error of chroma weighs beside one of luma at qualities 0..63, any shape."""
    points = [(at, math.log(weight)) for at, weight in CHROMA_WEIGHTS]
    (first, first_log), (middle, middle_log), (last, last_log) = points
    below = first_log + (quality - first) * ((middle_log - first_log) / (middle - first))
    above = middle_log + (quality - middle) * ((last_log - middle_log) / (last - middle))
    logarithm = torch.where(quality < middle, below, above)
    return torch.exp(logarithm).clamp(LOWEST_CHROMA_WEIGHT, HIGHEST_CHROMA_WEIGHT)


def planes_distortion(
    planes: tuple[Tensor, ...], decoded: tuple[Tensor, ...], quality: Tensor, config: LossConfig
) -> Tensor:
    """As :func:`distortion`; with ``config.chroma`` = ``quality``, chroma weighs what :func:`chroma_weight` says.

    The weight of luma does not change then, nor does its best quantization step.
    """
    if config.distortion != "mse" or config.chroma == "fixed":
        return distortion(planes, decoded, config)
    luma, chroma = ((ours - theirs).square().mean((1, 2, 3)) for ours, theirs in zip(planes, decoded, strict=True))
    return (luma * 2 + chroma_weight(quality) * chroma) * (255**2 / 3)


def rate_distortion(bits_per_pixel: Tensor, error: Tensor, quality: Tensor, config: LossConfig) -> Tensor:
    """Loss of each picture, (N,), of models with variable rate.

    A power of the quality's quantization step keeps low rates, whose losses are small, from being neglected.
    """
    return _emphasized_cost(bits_per_pixel, config.distortion_share * error, quality, config)


def error_cost(error: Tensor, quality: Tensor, config: LossConfig) -> Tensor:
    """What errors of any kind (N,), in squared code values, add to the loss of each picture, (N,).

    ``config.distortion_share`` does not count.
    """
    return _emphasized_cost(torch.zeros_like(error), error, quality, config)


def _emphasized_cost(bits_per_pixel: Tensor, error: Tensor, quality: Tensor, config: LossConfig) -> Tensor:
    emphasis = (quantization_step(quality) / 20) ** config.low_rate_emphasis
    return rate_distortion_cost(bits_per_pixel, error, quality, config.distortion_over_step) * emphasis


def spread_qualities(first: int, count: int, lowest: float, highest: float, seed: int) -> Tensor:
    """Qualities of samples ``first`` to ``first + count - 1``, evenly spread over successive samples.

    Multiples of the golden ratio modulo 1, shifted by the seed: any run of successive samples covers the range.
    """
    golden = (math.sqrt(5) - 1) / 2
    numbers = torch.arange(first, first + count, dtype=torch.float64)
    part = (numbers * golden + (seed * golden**2) % 1.0) % 1.0
    return (lowest + (highest - lowest) * part).float()
