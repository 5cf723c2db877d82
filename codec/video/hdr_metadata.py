"""Mastering display and content light level of HDR video (SMPTE ST 2086, CTA-861.3), as FFmpeg attaches them to frames
and as encoders are told them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from fractions import Fraction
from typing import TypedDict

from scaleflow.codec.video.side_data import CONTENT_LIGHT_LEVEL, MASTERING_DISPLAY

CHROMATICITY_STEPS, LUMINANCE_STEPS = 50_000, 10_000
"""To one, and to one candela per square metre, as in the SEI messages of H.264 and H.265."""

LARGEST_VALUE = 2**32 - 1


class HdrMetadata(TypedDict):
    """Fields of :class:`scaleflow.codec.picture.VideoProperties`."""

    mastering_display: tuple[int, ...]
    content_light_level: tuple[int, ...]


def read_hdr_metadata(data: Mapping[str, bytes]) -> HdrMetadata:
    """What the side data of a frame say."""
    return {
        "mastering_display": _mastering_display(data.get(MASTERING_DISPLAY, b"")),
        "content_light_level": _content_light_level(data.get(CONTENT_LIGHT_LEVEL, b"")),
    }


def _mastering_display(data: bytes) -> tuple[int, ...]:
    # AVMasteringDisplayMetadata: primaries (red, green, blue) and white as rationals, luminances, two flags.
    if len(data) < 88:
        return ()
    numbers = struct.unpack_from("=22i", data)
    if not (numbers[20] and numbers[21]) or not all(numbers[1:20:2]):
        return ()
    values = [Fraction(numbers[place], numbers[place + 1]) for place in range(0, 20, 2)]
    red, green, blue, white = (values[place : place + 2] for place in range(0, 8, 2))
    steps = [round(value * CHROMATICITY_STEPS) for value in (*green, *blue, *red, *white)]
    steps += [round(value * LUMINANCE_STEPS) for value in (values[9], values[8])]
    return tuple(steps) if all(0 <= value <= LARGEST_VALUE for value in steps) else ()


def _content_light_level(data: bytes) -> tuple[int, ...]:
    if len(data) < 8:
        return ()
    levels = struct.unpack_from("=2I", data)
    return levels if any(levels) else ()


def x264_parameters(mastering_display: tuple[int, ...], content_light_level: tuple[int, ...]) -> list[str]:
    """Parameters with which x264 writes both into the stream."""
    found = []
    if mastering_display:
        green, blue, red, white, luminance = (
            f"{mastering_display[place]},{mastering_display[place + 1]}" for place in range(0, 10, 2)
        )
        found.append(f"mastering-display=G({green})B({blue})R({red})WP({white})L({luminance})")
    if content_light_level:
        found.append(f"cll={content_light_level[0]},{content_light_level[1]}")
    return found
