"""What a report shows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scaleflow.errors import UsageError

MOST_PICTURES = 50


@dataclass(frozen=True)
class ReportSettings:
    """What a report shows.

    Attributes:
        clips: names of clips; all where empty.
        bits_per_pixel: rate at which codecs are compared; the middle of the rates that all have where None.
        pictures: how many of each clip are embedded.
        anchor: codec that BD-rates are against; x264 or else the first one where None.
        device: where streams of neural codecs are decoded: ``auto``, ``cpu``, ``cuda`` or ``cuda:n``.
    """

    clips: tuple[str, ...] = ()
    bits_per_pixel: float | None = None
    pictures: int = 3
    anchor: str | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        rate = self.bits_per_pixel
        if rate is not None and not (math.isfinite(rate) and rate > 0):
            raise UsageError(f"bits_per_pixel {rate:g} is not above 0", fields=("bits_per_pixel",))
        if not 0 <= self.pictures <= MOST_PICTURES:
            raise UsageError(f"pictures {self.pictures} is outside 0..{MOST_PICTURES}", fields=("pictures",))
