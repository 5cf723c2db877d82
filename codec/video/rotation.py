"""Display matrices: how a player turns decoded pictures."""

from __future__ import annotations

import logging
import math
import struct

import av
import numpy as np

from scaleflow.codec.picture import Planes
from scaleflow.codec.video.side_data import DISPLAY_MATRIX, side_data
from scaleflow.errors import DataError

log = logging.getLogger(__name__)


def clockwise_rotation(frame: av.VideoFrame, name: str | None = None) -> int:
    """Clockwise angle in degrees, a quarter turn or several, by which a player turns this frame.

    A matrix that mirrors, or turns by another angle, has no place in a stream: its angle is 0. Where ``name`` of the
    source is given, a warning says so.
    """
    matrix = side_data(frame).get(DISPLAY_MATRIX)
    if matrix is None:
        return 0
    angle, what = rotation_of_matrix(matrix)
    if what and name is not None:
        log.warning("%s: is to be shown %s, which is not kept: its pictures are coded as they are stored", name, what)
    return angle


def rotation_of_matrix(matrix: bytes) -> tuple[int, str]:
    """Clockwise quarter turns, in degrees, of a display matrix (nine native 32-bit integers, 16.16 fixed point).

    With them what else the matrix asks for, in words; the angle is then 0: half of it would be worse than nothing.
    """
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix[:36])
    if math.hypot(a, b) == 0 or math.hypot(c, d) == 0:
        return 0, ""
    # The matrix maps (x, y) to (a x + c y, b x + d y) with y downwards: the x axis turns clockwise by atan2(b, a).
    degrees = math.degrees(math.atan2(b, a)) % 360
    is_mirrored = a * d - b * c < 0
    if is_mirrored:
        turned = {0: "top to bottom", 180: "left to right"}.get(
            round(degrees) % 360, f"and turned by {degrees:.0f} degrees"
        )
        return 0, f"mirrored {turned}"
    quarter = round(degrees / 90) % 4 * 90
    if min(abs(degrees - quarter), 360 - abs(degrees - quarter)) > 1:
        return 0, f"turned by {degrees:.1f} degrees"
    return quarter, ""


def turn_planes(planes: Planes, degrees: int) -> Planes:
    """Turn the planes of a picture clockwise by quarter turns.

    Raises:
        DataError: their chroma is subsampled in one direction only.
    """
    if not degrees:
        return planes
    height, width = planes[0].shape
    if degrees % 180 and any(
        plane.shape not in (((height + 1) // 2, (width + 1) // 2), (height, width)) for plane in planes
    ):
        raise DataError("a picture whose chroma is halved in one direction cannot be turned by a quarter")
    return tuple(np.ascontiguousarray(np.rot90(plane, -degrees // 90)) for plane in planes)
