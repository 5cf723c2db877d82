"""Chroma resampling between 4:2:0, 4:2:2, 4:4:4 and their relatives: short separable filters that honour the sample positions.

Down by two: ``(1 2 1) / 4`` where chroma lies on even columns (left-sited), ``(1 1) / 2`` where it lies between two
samples (vertically always, horizontally for JPEG). Up by two: linear interpolation at the true positions, which is
``(1), (1 1) / 2`` for cosited samples and ``(1 3) / 4, (3 1) / 4`` for samples in between. Edges are repeated. Factors
of four are two steps of two.
"""

from __future__ import annotations

import numpy as np

from codec.video.color import ChromaSite, FloatPlane

Shifts = tuple[int, int]
"""Subsampling as powers of two, (horizontal, vertical): 4:2:0 is (1, 1), 4:2:2 (1, 0), 4:4:4 (0, 0)."""


def chroma_shape(height: int, width: int, shifts: Shifts) -> tuple[int, int]:
    """Height and width of a chroma plane; odd sizes round up."""
    horizontal, vertical = shifts
    return -(-height >> vertical), -(-width >> horizontal)


def _halve(plane: FloatPlane, axis: int, cosited: bool) -> FloatPlane:
    moved = np.moveaxis(plane, axis, 0)
    length = moved.shape[0]
    even = moved[0::2]
    following = moved[1::2]
    if length % 2:
        following = np.concatenate([following, moved[-1:]])
    if not cosited:
        return np.moveaxis((even + following) * np.float32(0.5), 0, axis)
    preceding = np.concatenate([moved[:1], following[: even.shape[0] - 1]])
    return np.moveaxis((preceding + following + 2 * even) * np.float32(0.25), 0, axis)


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
    """Go from subsampling ``shift`` to ``target`` along one axis of a picture that has ``length`` luma samples there."""
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
    """Resample one chroma plane of a picture of ``height`` x ``width`` luma samples; float32 in, unrounded float32 out."""
    plane = _resample_axis(plane, 0, source[1], target[1], height, cosited=False)
    return _resample_axis(plane, 1, source[0], target[0], width, cosited=site == "left")
