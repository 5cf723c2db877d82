"""Colours of classes: those of indexed label pictures, and of what is drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BACKGROUND = "background"
"""Class that is black, and not drawn."""


def class_colors(classes: tuple[str, ...]) -> NDArray[np.uint8]:
    """(classes, 3), R'G'B': the colour map of PASCAL VOC, which DAVIS has too, black for a background alone.

    The bits of a number are dealt to the high bits of red, green and blue in turn, so that colours of numbers that are
    near each other differ much.
    """
    skipped = 0 if BACKGROUND in classes[:1] else 1
    return np.array([_color(number + skipped) for number in range(len(classes))], np.uint8).reshape(-1, 3)


def _color(number: int) -> tuple[int, int, int]:
    red = green = blue = 0
    for place in range(7, -1, -1):
        red |= (number & 1) << place
        green |= (number >> 1 & 1) << place
        blue |= (number >> 2 & 1) << place
        number >>= 3
    return red, green, blue
