"""The edge of a clip's region of interest, to lay over its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.rate_distortion.clip_masks import MaskHash, open_masks_at
from scaleflow.evaluation.rate_distortion.point import EvaluatedClip
from scaleflow.evaluation.report.stream_pictures import open_original

Rgba = NDArray[np.uint8]


def region_outlines(clip: EvaluatedClip, times: Sequence[float], numbers: Sequence[int]) -> list[Rgba]:
    """Pictures (height, width, 4) that are transparent but for the region's edge, of the chosen pictures of a clip.

    Args:
        times: of all pictures, in seconds from the first.

    Raises:
        UsageError: there are no masks where they were.
        DataError: they cannot be read, or are not what was measured.
    """
    if not Path(clip.masks_path).is_file() and not Path(clip.masks_path).is_dir():
        raise UsageError(f"{clip.masks_path}: there is no such file or folder")
    with open_original(clip) as reader:
        masks = open_masks_at(Path(clip.masks_path))(reader.properties, clip.frames)
    content = MaskHash()
    found = {}
    for number, time in enumerate(times):
        mask = masks.mask_at(number, time)
        content.add(mask)
        if number in numbers:
            found[number] = draw_outline(mask >= 0.5)
    if content.digest() != clip.masks:
        raise DataError(f"{clip.masks_path}: is not what was measured")
    return [found[number] for number in numbers]


def draw_outline(inside: NDArray[np.bool_]) -> Rgba:
    """A white line just outside a region (height, width), with a black one around it: seen on any picture."""
    line = binary_dilation(inside) & ~inside
    rim = binary_dilation(inside | line) & ~inside & ~line
    drawn = np.zeros((*inside.shape, 4), np.uint8)
    drawn[line] = 255
    drawn[rim, 3] = 255
    return drawn
