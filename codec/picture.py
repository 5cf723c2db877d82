"""Pictures and the properties of the video that they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scaleflow.errors import DataError

Planes = tuple[NDArray[np.generic], ...]
WorkingFormat = Literal["yuv420", "rgb"]

LARGEST_SIDE = 16384
"""Pictures wider or higher than this are refused, so that a damaged header cannot ask for absurd amounts of memory."""


@dataclass(frozen=True)
class SourcePlace:
    """Which picture of its source one is: its number from 0, its seconds from the first, and its time there."""

    number: int
    seconds: float
    pts: int


@dataclass(frozen=True)
class Picture:
    """One picture in a model's working format.

    ``planes`` are ``uint8`` (8 bit) or ``uint16`` (10 bit) arrays: for ``yuv420`` one of shape (height, width) and two
    of shape (ceil(height / 2), ceil(width / 2)); for ``rgb`` three of shape (height, width). ``pts`` is the time at
    which to show it, in units of the video's time base. ``place`` is set where masks belong to the pictures, or
    where workers read the source.
    """

    planes: Planes
    pts: int
    place: SourcePlace | None = None


@dataclass(frozen=True)
class VideoProperties:
    """What must be known about a video, besides its pictures, to write it back as it was.

    Colour tags carry FFmpeg's names and are ``"unknown"`` where the source is untagged. ``rotation`` is the clockwise
    angle in degrees by which a player turns the coded picture. ``mastering_display`` (SMPTE ST 2086) is empty or has
    ten integers: x and y of green, blue, red and white in 1/50000, most and least luminance in 1/10000 cd/m2;
    ``content_light_level`` (CTA-861.3) is empty or has two, MaxCLL and MaxFALL in cd/m2.
    """

    width: int
    height: int
    pixel_format: str
    bit_depth: int
    frame_rate: Fraction
    time_base: Fraction
    color_matrix: str = "unknown"
    color_range: str = "unknown"
    color_primaries: str = "unknown"
    color_transfer: str = "unknown"
    sample_aspect_ratio: Fraction = Fraction(1)
    rotation: int = 0
    working_format: WorkingFormat = "yuv420"
    mastering_display: tuple[int, ...] = ()
    content_light_level: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, side in (("width", self.width), ("height", self.height)):
            if not 1 <= side <= LARGEST_SIDE:
                raise DataError(f"picture {name} {side} is outside 1..{LARGEST_SIDE}")
        if self.bit_depth not in (8, 10):
            raise DataError(f"working bit depth {self.bit_depth} is not 8 or 10")
        if self.frame_rate <= 0 or self.time_base <= 0:
            raise DataError(f"frame rate {self.frame_rate} and time base {self.time_base} must be positive")
        if self.rotation not in (0, 90, 180, 270):
            raise DataError(f"rotation {self.rotation} is not one of 0, 90, 180, 270 degrees")
        if len(self.mastering_display) not in (0, 10) or len(self.content_light_level) not in (0, 2):
            raise DataError(
                f"HDR metadata of {len(self.mastering_display)} and {len(self.content_light_level)} numbers, "
                "where 10 and 2 make up a mastering display and content light levels"
            )
        if any(not 0 <= value < 2**32 for value in (*self.mastering_display, *self.content_light_level)):
            raise DataError("HDR metadata hold a number outside 0..4294967295")
        if self.working_format not in ("yuv420", "rgb"):
            raise DataError(f"working format {self.working_format!r} is not 'yuv420' or 'rgb'")
