"""The form of raw video, which no file says."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av

from scaleflow.codec.picture import LARGEST_SIDE
from scaleflow.codec.video.pixel_format import describe_pixel_format
from scaleflow.errors import DataError, UsageError


@dataclass(frozen=True)
class RawVideoFormat:
    """Size in pixels, frames a second, and FFmpeg's name of the pixel format of headerless video."""

    width: int
    height: int
    frame_rate: Fraction
    pixel_format: str = "yuv420p"

    def __post_init__(self) -> None:
        for name, side in (("width", self.width), ("height", self.height)):
            if not 1 <= side <= LARGEST_SIDE:
                raise UsageError(f"raw video {name} {side} is outside 1..{LARGEST_SIDE}")
        if self.frame_rate <= 0:
            raise UsageError(f"raw video frame rate {self.frame_rate} must be positive")
        try:
            describe_pixel_format(self.pixel_format)
        except DataError as error:
            raise UsageError(f"raw video: {error}") from None

    @property
    def frame_size(self) -> int:
        """Bytes of one picture."""
        layout = av.VideoFormat(self.pixel_format, self.width, self.height)
        if not layout.is_planar and not any(component.is_chroma for component in layout.components):
            return self.height * (-(-self.width * layout.padded_bits_per_pixel // 8))
        return sum(-(-component.bits // 8) * component.width * component.height for component in layout.components)
