"""Crops, mirror images and reversed time, for all planes of a clip alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scaleflow.errors import DataError
from scaleflow.training.data.clip import Clip, ClipRequest, Plane


def crop_at_random(clip: Clip, request: ClipRequest, generator: np.random.Generator) -> Clip:
    """A square at an even position, so that chroma fits. Of a clip with a mask that is not empty, one that meets it.

    Raises:
        DataError: the pictures are smaller than the crop.
    """
    height, width = clip.planes[0].shape[2:]
    side = request.crop
    if min(height, width) < side:
        raise DataError(f"pictures of {width}x{height} are too small for crops of {side}")
    if clip.mask is not None and clip.mask.any():
        inside = np.argwhere(clip.mask.any((0, 1)))
        row, column = inside[int(generator.integers(len(inside)))]
        top, left = _start_that_meets(row, side, height, generator), _start_that_meets(column, side, width, generator)
    else:
        top = 2 * int(generator.integers((height - side) // 2 + 1))
        left = 2 * int(generator.integers((width - side) // 2 + 1))

    def crop(plane: Plane) -> Plane:
        part = round(height / plane.shape[2])  # 2 of chroma, of which an odd height has half a line more or less
        rows = slice(top // part, (top + side) // part)
        return plane[:, :, rows, left // part : (left + side) // part]

    return _changed(clip, crop)


def _start_that_meets(place: int, side: int, size: int, generator: np.random.Generator) -> int:
    """A random even start of ``side`` samples within ``size`` that have ``place`` among them, or its neighbour."""
    first, last = max(0, place - side + 1), min(place, size - side)
    return 2 * int(generator.integers(first // 2, last // 2 + 1))


def mirror_at_random(clip: Clip, request: ClipRequest, generator: np.random.Generator) -> Clip:
    """Left and right, up and down, and the order of the pictures, each exchanged or not."""
    horizontal, vertical, backwards = (bool(value) for value in generator.integers(0, 2, 3))
    if request.flip and horizontal:
        clip = _changed(clip, lambda plane: plane[..., ::-1])
    if request.flip and vertical:
        clip = _changed(clip, lambda plane: plane[..., ::-1, :])
    if request.reverse and backwards:
        clip = _changed(clip, lambda plane: plane[::-1])
    return clip


def _changed(clip: Clip, change: Callable[[Plane], Plane]) -> Clip:
    return Clip(tuple(map(change, clip.planes)), None if clip.mask is None else change(clip.mask))
