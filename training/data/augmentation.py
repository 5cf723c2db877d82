"""Crops, mirror images and reversed time, for all planes of a clip alike."""

from __future__ import annotations

import numpy as np

from codec.errors import DataError
from training.data.clip import Clip, ClipRequest


def crop_at_random(clip: Clip, request: ClipRequest, generator: np.random.Generator) -> Clip:
    """A square at an even position, so that chroma fits.

    Raises:
        DataError: the pictures are smaller than the crop.
    """
    height, width = clip.planes[0].shape[2:]
    side = request.crop
    if min(height, width) < side:
        raise DataError(f"pictures of {width}x{height} are too small for crops of {side}")
    top = 2 * int(generator.integers((height - side) // 2 + 1))
    left = 2 * int(generator.integers((width - side) // 2 + 1))
    planes = []
    for plane in clip.planes:
        # chroma is smaller by the ratio of the widths, rounded up
        part = 2 if plane.shape[3] * 2 <= width + 1 and plane.shape[1] == 2 else 1
        rows = slice(top // part, (top + side) // part)
        planes.append(plane[:, :, rows, left // part : (left + side) // part])
    return Clip(tuple(planes))


def mirror_at_random(clip: Clip, request: ClipRequest, generator: np.random.Generator) -> Clip:
    """Left and right, up and down, and the order of the pictures, each exchanged or not."""
    horizontal, vertical, backwards = (bool(value) for value in generator.integers(0, 2, 3))
    planes = clip.planes
    if request.flip and horizontal:
        planes = tuple(plane[..., ::-1] for plane in planes)
    if request.flip and vertical:
        planes = tuple(plane[..., ::-1, :] for plane in planes)
    if request.reverse and backwards:
        planes = tuple(plane[::-1] for plane in planes)
    return Clip(planes)
