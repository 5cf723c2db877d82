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
    for number, plane in enumerate(clip.planes):
        part = 2 if number else 1  # the second is chroma
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
