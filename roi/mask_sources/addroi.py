"""Boxes in the vocabulary of FFmpeg's filter ``addroi``: rectangles with an offset of the quantizer.

A ``qoffset`` (``AVRegionOfInterest``) is -1..1: below 0 is better than the rest, above 0 worse, and the range from 0 to
-1 stands for the whole range of the quantizer, which in H.264 is :data:`RANGE_OCTAVES` octaves of its step. Here the
lowest offset of a file (or 0, where the rest is best) becomes a mask of 1, the highest (or 0) a mask of 0, and those
between lie between, in proportion. What lies between lowest and highest says the strength that is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scaleflow import json_values
from scaleflow.codec.picture import VideoProperties
from scaleflow.errors import DataError
from scaleflow.roi.mask_sources.boxes import Box
from scaleflow.roi.mask_sources.fitting import Mask
from scaleflow.roi.networks import MOST_STRENGTH

RANGE_OCTAVES = 51 / 6
"""Quantization parameters 0 to 51 of H.264, six to a doubling of the step."""

DEFAULT_OFFSET = -0.1
"""As of ``addroi``."""

_KEYS = frozenset({"x", "y", "w", "h", "qoffset", "frame", "frames", "seconds"})
_TIMES = ("frame", "frames", "seconds")


@dataclass(frozen=True)
class _Region:
    """A box with its offset, in pictures of these numbers and times, both ends included."""

    box: Box
    offset: float
    frames: tuple[float, float] = (0, np.inf)
    seconds: tuple[float, float] = (-np.inf, np.inf)

    def holds(self, number: int, seconds: float) -> bool:
        return self.frames[0] <= number <= self.frames[1] and self.seconds[0] <= seconds <= self.seconds[1]


class AddroiBoxes:
    """The regions of a file. Where they overlap, the one that is written first holds, as in FFmpeg.

    ``strength`` is what the offsets amount to, up to what coding has, or None where all is alike.
    """

    def __init__(self, name: str, values: list[Any]) -> None:
        """``values`` is what the file ``name`` holds.

        Raises:
            DataError: it is malformed.
        """
        self._regions = [_region(item, name, order) for order, item in enumerate(values)]
        offsets = [0.0, *(region.offset for region in self._regions)]
        self._lowest, self._highest = min(offsets), max(offsets)
        octaves = (self._highest - self._lowest) * RANGE_OCTAVES
        self.strength: float | None = min(2**octaves, MOST_STRENGTH) if octaves else None

    def masks(self, video: VideoProperties, pictures: int | None = None) -> AddroiMasks:
        """Masks for a video.

        Raises:
            DataError: a box is outside the pictures.
        """
        for region in self._regions:
            region.box.check_inside(video)
        return AddroiMasks(self._regions, self._value, video)

    def _value(self, offset: float) -> float:
        span = self._highest - self._lowest
        return (self._highest - offset) / span if span else 1.0


class AddroiMasks:
    """Implements :class:`scaleflow.codec.encoding.region_masks.MaskSource`."""

    def __init__(self, regions: list[_Region], value: Any, video: VideoProperties) -> None:
        self._regions, self._value, self._video = regions, value, video

    def mask_at(self, number: int, seconds: float) -> Mask:
        """See :class:`scaleflow.codec.encoding.region_masks.MaskSource`."""
        mask = np.full((self._video.height, self._video.width), self._value(0.0), np.float32)
        for region in reversed(self._regions):
            if region.holds(number, seconds):
                region.box.draw(mask, self._value(region.offset))
        return mask


def _region(item: object, name: str, order: int) -> _Region:
    place = f"{name}: [{order}]"
    values = json_values.record(item, place)
    if unknown := sorted(values.keys() - _KEYS):
        raise DataError(f"{place}: {unknown[0]!r} is unknown: use {', '.join(sorted(_KEYS))}")
    x, y, w, h = (json_values.number(json_values.field(values, key, place), f"{place}.{key}") for key in "xywh")
    offset = json_values.number(values.get("qoffset", DEFAULT_OFFSET), f"{place}.qoffset", -1, 1)
    box = Box(x, y, w, h, place)
    given = [key for key in _TIMES if key in values]
    if len(given) > 1:
        raise DataError(f"{place}: has {' and '.join(given)}: give one of them, or none for all pictures")
    if "frame" in values:
        frame = json_values.whole_number(values["frame"], f"{place}.frame")
        return _Region(box, offset, frames=(frame, frame))
    if not given:
        return _Region(box, offset)
    first, last = json_values.numbers(values[given[0]], 2, f"{place}.{given[0]}")
    if not 0 <= first <= last:
        raise DataError(f"{place}.{given[0]}: {first:g} to {last:g} is no range from the start of the video on")
    if "frames" in values:
        return _Region(box, offset, frames=(first, last))
    return _Region(box, offset, seconds=(first, last))
