"""Display matrices: the rotation that a player applies to decoded pictures."""

from __future__ import annotations

import math
import struct
from typing import Any

import av

_DISPLAY_MATRIX = "DISPLAYMATRIX"


def clockwise_rotation(frame: av.VideoFrame) -> int:
    """Clockwise angle in degrees, to the nearest quarter turn, by which a player turns this frame."""
    side_data: Any = frame.side_data
    for data in side_data:
        if data.type.name == _DISPLAY_MATRIX:
            return rotation_of_matrix(bytes(data))
    return 0


def rotation_of_matrix(matrix: bytes) -> int:
    """Clockwise quarter turns, in degrees, of a display matrix: nine native 32-bit integers, 16.16 fixed point."""
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix[:36])
    if math.hypot(a, c) == 0 or math.hypot(b, d) == 0:
        return 0
    # The matrix maps (x, y) to (a x + c y, b x + d y) with y downwards: the x axis turns clockwise by atan2(b, a).
    return round(math.degrees(math.atan2(b, a)) / 90) % 4 * 90
