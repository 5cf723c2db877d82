"""How far decoded pictures are from their source."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.picture import Planes, WorkingFormat

IDENTICAL_PSNR = 100.0
"""Stands for the PSNR of identical planes, so that means stay finite."""

DISTORTION_OVER_STEP = 0.13
"""Squared error that one bit is worth to the default model, in squared quantization steps: the slope of rate over
distortion that it was trained for, and that encoders of it decide by."""

_PLANE_WEIGHTS = {"yuv420": (6, 1, 1), "rgb": (1, 1, 1)}


def plane_mse(
    first: NDArray[np.generic], second: NDArray[np.generic], weights: NDArray[np.float32] | None = None
) -> float:
    """Mean squared error of two planes of one shape, in squared code values, where ``weights`` are not zero."""
    difference = first.astype(np.float32) - second.astype(np.float32)
    if weights is None:
        return float(np.mean(np.square(difference), dtype=np.float64))
    return float((np.square(difference) * weights).sum(dtype=np.float64) / weights.sum(dtype=np.float64))


def psnr_of_mse(error: float, bit_depth: int) -> float:
    """PSNR in dB of a mean squared error, with the largest code value as the peak; infinite where there is none."""
    peak = float((1 << bit_depth) - 1)
    return 10 * math.log10(peak * peak / error) if error else math.inf


def plane_psnr(first: NDArray[np.generic], second: NDArray[np.generic], bit_depth: int) -> float:
    """PSNR in dB of two planes of one shape, at most :data:`IDENTICAL_PSNR`."""
    return min(IDENTICAL_PSNR, psnr_of_mse(plane_mse(first, second), bit_depth))


def picture_psnr(first: Planes, second: Planes, bit_depth: int) -> tuple[float, ...]:
    """PSNR in dB of each plane."""
    return tuple(plane_psnr(a, b, bit_depth) for a, b in zip(first, second, strict=True))


def region_psnr(first: Planes, second: Planes, bit_depth: int, mask: NDArray[np.uint8]) -> tuple[float, ...] | None:
    """PSNR in dB of each plane of a picture within a region, samples weighed by the mask; None where it is empty.

    A sample of chroma weighs as much as those of luma that it covers.
    """
    if not mask.any():
        return None
    return tuple(
        min(IDENTICAL_PSNR, psnr_of_mse(plane_mse(a, b, weights_of_plane(mask, a.shape)), bit_depth))
        for a, b in zip(first, second, strict=True)
    )


def weights_of_plane(mask: NDArray[np.generic], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """What each sample of a plane of ``shape`` weighs: the sum of a mask (height, width) over the luma it covers."""
    steps = [-(-whole // part) for whole, part in zip(mask.shape, shape, strict=True)]
    borders = [(0, part * step - whole) for whole, part, step in zip(mask.shape, shape, steps, strict=True)]
    padded = np.pad(mask.astype(np.float32), borders)
    weights: NDArray[np.float32] = padded.reshape(shape[0], steps[0], shape[1], steps[1]).sum((1, 3))
    return weights


def weighted_psnr(planes: Sequence[float], working_format: WorkingFormat = "yuv420") -> float:
    """PSNR-YUV, (6 Y + U + V) / 8, of the PSNRs of the planes; for RGB their mean."""
    weights = _PLANE_WEIGHTS[working_format]
    return sum(weight * value for weight, value in zip(weights, planes, strict=True)) / sum(weights)
