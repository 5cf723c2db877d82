"""Masks of one size, for pictures of another."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from scaleflow.codec.picture import VideoProperties
from scaleflow.errors import DataError

Mask = NDArray[np.float32]
"""(height, width), 0..1."""


def check_aspect(name: str, width: int, height: int, properties: VideoProperties) -> None:
    """Refuse masks that would have to be stretched to lie over the pictures of a video.

    One side may differ by a sample from what the other asks for: sizes are whole numbers.

    Raises:
        DataError: names both sizes.
    """
    wanted_width = height * properties.width / properties.height
    wanted_height = width * properties.height / properties.width
    if abs(width - wanted_width) <= 1 or abs(height - wanted_height) <= 1:
        return
    stored = f", as stored (players turn them by {properties.rotation} degrees)" if properties.rotation else ""
    raise DataError(
        f"{name}: is {width}x{height}, of another aspect ratio than the pictures of "
        f"{properties.width}x{properties.height}{stored}: cut or pad the masks as the video was"
    )


def rescale(mask: Mask, height: int, width: int) -> Mask:
    """Resample bilinearly, when it gets smaller over all that falls together: thin regions become faint, not lost."""
    if mask.shape == (height, width):
        return mask
    tensor = torch.from_numpy(np.ascontiguousarray(mask))[None, None]
    resized = F.interpolate(tensor, (height, width), mode="bilinear", antialias=True)
    return resized[0, 0].clamp(0, 1).numpy()
