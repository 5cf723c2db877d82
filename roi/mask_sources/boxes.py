"""Rectangles, drawn as masks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scaleflow.codec.picture import VideoProperties
from scaleflow.errors import DataError
from scaleflow.roi.mask_sources.fitting import Mask

BORDER = 1.0
"""Samples that a rectangle may lie outside its picture, for the rounding of those who wrote it."""


@dataclass(frozen=True)
class Box:
    """A rectangle in samples from the upper left corner; ``place`` names it in messages."""

    x: float
    y: float
    width: float
    height: float
    place: str

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise DataError(f"{self.place}: a box of {self.width:g}x{self.height:g} covers nothing")

    def scaled(self, across: float, down: float) -> Box:
        """The same in a picture that is so many times wider and higher."""
        return Box(self.x * across, self.y * down, self.width * across, self.height * down, self.place)

    def check_inside(self, video: VideoProperties) -> None:
        """Refuse a rectangle that is not within the pictures.

        Raises:
            DataError: names the box and the size of the pictures.
        """
        right, bottom = self.x + self.width, self.y + self.height
        inside = min(self.x, self.y) >= -BORDER and right <= video.width + BORDER and bottom <= video.height + BORDER
        if not inside:
            raise DataError(
                f"{self.place}: the box from ({self.x:g}, {self.y:g}) to ({right:g}, {bottom:g}) is not within the "
                f"pictures of {video.width}x{video.height}"
            )

    def draw(self, mask: Mask, value: float) -> None:
        """Set every sample that it touches."""
        rows = slice(max(0, math.floor(self.y)), math.ceil(self.y + self.height))
        columns = slice(max(0, math.floor(self.x)), math.ceil(self.x + self.width))
        mask[rows, columns] = value
