"""Motion compensation by a long filter: half samples by eight taps once for each picture, then cubic convolution.

Sampling at any position with eight taps in each direction is slow without code of its own. A picture of twice the size,
made once for each reference, has half samples by the filter of HEVC; cubic convolution between these is within a few
hundredths of a decibel of the whole filter, and as quick as on the picture itself.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

HALF_SAMPLE = (-1 / 64, 4 / 64, -11 / 64, 40 / 64, 40 / 64, -11 / 64, 4 / 64, -1 / 64)
"""Taps of HEVC's half sample of luma (ITU-T H.265, table 8-11)."""


def double_size(planes: Tensor) -> Tensor:
    """Planes (N, C, H, W) with half samples between, (N, C, 2 H, 2 W): sample i stays at 2 i; borders are repeated."""
    return _double(_double(planes, 3), 2)


def _double(planes: Tensor, dimension: int) -> Tensor:
    size = planes.shape[dimension]
    margin = (3, 4, 0, 0) if dimension == 3 else (0, 0, 3, 4)
    padded = F.pad(planes, margin, mode="replicate")
    between = padded.narrow(dimension, 0, size) * HALF_SAMPLE[0]
    for place, tap in enumerate(HALF_SAMPLE[1:], 1):
        between = torch.add(between, padded.narrow(dimension, place, size), alpha=tap)
    shape = list(planes.shape)
    shape[dimension] *= 2
    return torch.stack((planes, between), dimension + 1).view(shape)


def enlarge(field: Tensor, factor: int) -> Tensor:
    """A field (N, C, H, W) at so many times its height and width, bilinearly; values stay in their unit."""
    return F.interpolate(field, scale_factor=factor, mode="bilinear", align_corners=False)


def sample_at(planes: Tensor, flow: Tensor, density: int, mode: str = "bicubic") -> Tensor:
    """Planes at displaced positions.

    Args:
        planes: (N, C, density * H, density * W), where ``density`` samples lie for each of the flow's.
        flow: displacement (x, y) of each sample that is wanted, in samples of its own size, (N, 2, H, W).
        density: 1, or 2 for planes that :func:`double_size` made.
        mode: ``bicubic`` or ``bilinear``.

    Returns:
        (N, C, H, W); outside of the picture its border is repeated.
    """
    height, width = flow.shape[2:]
    y = torch.arange(height, device=flow.device, dtype=flow.dtype).view(1, -1, 1)
    x = torch.arange(width, device=flow.device, dtype=flow.dtype).view(1, 1, -1)
    # grid_sample's coordinates without align_corners: sample i has its centre at (2 i + 1) / size - 1
    grid_x = (2 * density * (x + flow[:, 0]) + 1) / (density * width) - 1
    grid_y = (2 * density * (y + flow[:, 1]) + 1) / (density * height) - 1
    grid = torch.stack((grid_x, grid_y), -1)
    return F.grid_sample(planes, grid, mode=mode, padding_mode="border", align_corners=False)
