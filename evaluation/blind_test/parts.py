"""Which part of a picture is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaleflow.evaluation.report.stream_pictures import Rgb

STILL_SIZE = (640, 480)
"""Largest width and height of a still: two stand side by side on most screens without being reduced."""

MOVING_SIZE = (320, 240)
"""The same of moving clips, of which a page holds many pictures."""

ZOOM_SIZE = (96, 72)
"""The same of enlarged parts, which are at most half as wide and high as the picture."""


@dataclass(frozen=True)
class Part:
    """A rectangle within pictures, in samples of luma."""

    x: int
    y: int
    width: int
    height: int

    def of(self, picture: Rgb) -> Rgb:
        """What of a picture (height, width, 3) lies in it."""
        return picture[self.y : self.y + self.height, self.x : self.x + self.width]


def middle_part(width: int, height: int, most: tuple[int, int]) -> Part:
    """The middle of a picture, or all of it where that is not larger than ``most``."""
    shown = min(width, most[0]), min(height, most[1])
    return Part((width - shown[0]) // 2, (height - shown[1]) // 2, *shown)


def zoomed_part(first: Rgb, second: Rgb) -> Part:
    """Where two pictures differ most, which favours neither."""
    height, width, _ = first.shape
    size = min(ZOOM_SIZE[0], max(1, width // 2)), min(ZOOM_SIZE[1], max(1, height // 2))
    return _part_of_most(np.abs(first.astype(np.float32) - second).sum(-1), size)


def moving_part(pictures: Sequence[Rgb]) -> Part:
    """Where originals change most from one to the next."""
    height, width, _ = pictures[0].shape
    changes = np.zeros((height, width), np.float32)
    for before, after in pairwise(pictures):
        changes += np.abs(after.astype(np.float32) - before).sum(-1)
    return _part_of_most(changes, (min(width, MOVING_SIZE[0]), min(height, MOVING_SIZE[1])))


def _part_of_most(values: NDArray[np.floating[Any]], size: tuple[int, int]) -> Part:
    """The rectangle of a size (width, height) whose values (h, w) have the largest sum."""
    width, height = size
    sums = np.pad(values.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    within = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    y, x = np.unravel_index(int(within.argmax()), within.shape)
    return Part(int(x), int(y), width, height)
