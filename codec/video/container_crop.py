"""The part of its pictures that a container says is to be shown."""

from __future__ import annotations

import re
from dataclasses import dataclass

import av
import av.logging
import numpy as np

from scaleflow.codec.picture import Planes
from scaleflow.codec.video.chroma import Shifts

_STREAM = re.compile(r"^\s*Stream #\d+:(\d+)")
_CROPPING = re.compile(r"Frame Cropping: (\d+)/(\d+)/(\d+)/(\d+)")
_CROPPING_FORMATS = frozenset({"matroska", "mov"})


@dataclass(frozen=True)
class Crop:
    """Samples of luma to leave out at each side."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of what is left."""
        return width - self.left - self.right, height - self.top - self.bottom

    def fits(self, width: int, height: int) -> bool:
        """Whether anything is left."""
        return min(self.size(width, height)) >= 1

    def apply(self, planes: Planes, shifts: Shifts) -> Planes:
        """The planes without what is left out; chroma begins at the sample that covers the first one of luma."""
        if self == Crop():
            return planes
        height, width = planes[0].shape
        width, height = self.size(width, height)
        cropped = [planes[0][self.top : self.top + height, self.left : self.left + width]]
        horizontal, vertical = shifts
        for plane in planes[1:]:
            left, top = self.left >> horizontal, self.top >> vertical
            columns, rows = -(-width >> horizontal), -(-height >> vertical)
            cropped.append(plane[top : top + rows, left : left + columns])
        return tuple(np.ascontiguousarray(plane) for plane in cropped)


def crop_of_stream(container: av.container.InputContainer, stream: av.VideoStream) -> Crop:
    """What a container crops of a video stream.

    PyAV passes on no side data of streams; FFmpeg's own description of the container tells this one.
    """
    if not _CROPPING_FORMATS & set(container.format.name.split(",")):
        return Crop()
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        description = container.dumps_format()  # type: ignore[attr-defined]
    finally:
        av.logging.set_level(level)
    index = -1
    for line in description.splitlines():
        if match := _STREAM.match(line):
            index = int(match[1])
        if index == stream.index and (match := _CROPPING.search(line)):
            return Crop(*map(int, match.groups()))
    return Crop()
