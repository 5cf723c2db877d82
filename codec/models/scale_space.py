"""Scale-space warp: motion compensation that can blur where motion is uncertain.

Agustsson et al., "Scale-space flow for end-to-end optimized video compression", CVPR 2020. A volume of progressively
blurred references is sampled at (x + flow_x, y + flow_y, scale). Differences from the paper: flow is in luma samples,
4:2:0 planes are warped at their own size (chroma with half the flow), the scale is kept within the volume by a
sigmoid, and the sharp level is sampled by cubic convolution, since repeated bilinear sampling blurs.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

BLURRED_LEVELS = 4
"""Slices of the volume beside the sharp one, at blurs of about 1.5, 3.4, 6.9 and 13.8 samples."""

SIGMA = 1.5


def gaussian_kernel(sigma: float = SIGMA) -> Tensor:
    """Normalised samples of a Gaussian, shape (2 * ceil(3 * sigma) + 1,)."""
    radius = math.ceil(3 * sigma)
    weights = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    return weights / weights.sum()


def blur(planes: Tensor) -> Tensor:
    """Separable Gaussian blur with replicated borders, (N, C, H, W)."""
    return _blur_along(_blur_along(planes, 3), 2)


def _blur_along(planes: Tensor, dimension: int) -> Tensor:
    """As a sum of weighted slices: several times faster than a library's convolution of single channels."""
    weights = gaussian_kernel().tolist()
    radius = len(weights) // 2
    size = planes.shape[dimension]
    margin = (radius, radius, 0, 0) if dimension == 3 else (0, 0, radius, radius)
    padded = F.pad(planes, margin, mode="replicate")
    total = padded.narrow(dimension, radius, size) * weights[radius]
    for distance in range(1, radius + 1):
        sides = padded.narrow(dimension, radius - distance, size) + padded.narrow(dimension, radius + distance, size)
        total = total.add_(sides, alpha=weights[radius + distance])
    return total


def blurred_volume(planes: Tensor) -> Tensor:
    """Blurred slices of a scale-space volume, (N, C, BLURRED_LEVELS, H, W): blur, then reduce by two and blur again."""
    size = planes.shape[2:]
    level = blur(planes)
    slices = [level]
    for _ in range(BLURRED_LEVELS - 1):
        level = blur(F.avg_pool2d(level, 2, ceil_mode=True, count_include_pad=False))
        slices.append(F.interpolate(level, size=size, mode="bilinear", align_corners=False))
    return torch.stack(slices, 2)


def scale_space_warp(planes: Tensor, flow: Tensor, scale: Tensor) -> Tensor:
    """Sample the scale-space volume of ``planes``.

    Args:
        planes: reference, (N, C, H, W), float32.
        flow: displacement (x, y) in samples of these planes, (N, 2, H, W).
        scale: level 0 (sharp) to ``BLURRED_LEVELS``, (N, 1, H, W); linear between levels.

    Returns:
        (N, C, H, W).
    """
    height, width = planes.shape[2:]
    y = torch.arange(height, device=planes.device, dtype=planes.dtype).view(1, -1, 1)
    x = torch.arange(width, device=planes.device, dtype=planes.dtype).view(1, 1, -1)
    # grid_sample's coordinates without align_corners: sample i has its centre at (2 i + 1) / size - 1
    grid_x = (2 * (x + flow[:, 0]) + 1) / width - 1
    grid_y = (2 * (y + flow[:, 1]) + 1) / height - 1
    grid = torch.stack((grid_x, grid_y), -1)
    sharp = F.grid_sample(planes, grid, mode="bicubic", padding_mode="border", align_corners=False)
    depth = (scale - 1).clamp(0, BLURRED_LEVELS - 1)
    grid_z = (2 * depth[:, 0] + 1) / BLURRED_LEVELS - 1
    grid = torch.stack((grid_x, grid_y, grid_z), -1)[:, None]
    blurred = F.grid_sample(blurred_volume(planes), grid, mode="bilinear", padding_mode="border", align_corners=False)[
        :, :, 0
    ]
    return torch.lerp(sharp, blurred, scale.clamp(0, 1).expand_as(sharp))
