"""Chroma resampling between 4:2:0, 4:2:2, 4:4:4 and their relatives: short separable filters at the true positions.

Up by two is linear interpolation: ``(1), (1 1) / 2`` where chroma lies on even columns (left-sited) and ``(1 3) / 4,
(3 1) / 4`` where it lies between two samples (vertically always, horizontally for JPEG). Down by two are the filters
that undo this exactly, ``(-1 2 6 2 -1) / 8`` (the analysis filter of the 5/3 wavelet) and ``(-1 3 3 -1) / 4``: a 4:2:0
picture that was written as 4:2:2 or 4:4:4 is found again when that file is read. They are also sharper than averages.
Factors of four are two steps of two.
"""

from __future__ import annotations

import numpy as np

from scaleflow.codec.video.color import ChromaSite, FloatPlane

Shifts = tuple[int, int]
"""Subsampling as powers of two, (horizontal, vertical): 4:2:0 is (1, 1), 4:2:2 (1, 0), 4:4:4 (0, 0)."""


def chroma_shape(height: int, width: int, shifts: Shifts) -> tuple[int, int]:
    """Height and width of a chroma plane; odd sizes round up."""
    horizontal, vertical = shifts
    return -(-height >> vertical), -(-width >> horizontal)


def _halve(plane: FloatPlane, axis: int, cosited: bool) -> FloatPlane:
    moved = np.moveaxis(plane, axis, 0)
    count = -(-moved.shape[0] // 2)
    beyond = moved.shape[0] % 2  # An odd length lacks the second sample of its last pair.
    others = [(0, 0)] * (moved.ndim - 1)
    if cosited:
        padded = np.pad(moved, [(2, 1 + beyond), *others], mode="reflect" if moved.shape[0] > 1 else "edge")
        weights: tuple[float, ...] = (-0.125, 0.25, 0.75, 0.25, -0.125)
    else:
        padded = np.pad(moved, [(1, 1 + beyond), *others], mode="symmetric")
        weights = (-0.25, 0.75, 0.75, -0.25)
    result = np.float32(weights[0]) * padded[0 : 2 * count : 2]
    for tap, weight in enumerate(weights[1:], start=1):
        result += np.float32(weight) * padded[tap : tap + 2 * count - 1 : 2]
    return np.moveaxis(result, 0, axis)


def _double(plane: FloatPlane, axis: int, cosited: bool, length: int) -> FloatPlane:
    moved = np.moveaxis(plane, axis, 0)
    result = np.empty((2 * moved.shape[0], *moved.shape[1:]), np.float32)
    following = np.concatenate([moved[1:], moved[-1:]])
    if cosited:
        result[0::2] = moved
        result[1::2] = (moved + following) * np.float32(0.5)
    else:
        preceding = np.concatenate([moved[:1], moved[:-1]])
        result[0::2] = preceding * np.float32(0.25) + moved * np.float32(0.75)
        result[1::2] = following * np.float32(0.25) + moved * np.float32(0.75)
    return np.moveaxis(result[:length], 0, axis)


def _resample_axis(plane: FloatPlane, axis: int, shift: int, target: int, length: int, cosited: bool) -> FloatPlane:
    """Go from subsampling ``shift`` to ``target`` along one axis, where the picture has ``length`` luma samples."""
    while shift < target:
        plane = _halve(plane, axis, cosited)
        shift += 1
    while shift > target:
        shift -= 1
        plane = _double(plane, axis, cosited, -(-length >> shift))
    return plane


def resample_chroma(
    plane: FloatPlane, height: int, width: int, source: Shifts, target: Shifts, site: ChromaSite = "left"
) -> FloatPlane:
    """Resample one chroma plane of a picture of ``height`` x ``width`` luma samples; the result is not rounded."""
    plane = _resample_axis(plane, 0, source[1], target[1], height, cosited=False)
    return _resample_axis(plane, 1, source[0], target[0], width, cosited=site == "left")
