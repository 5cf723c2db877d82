"""What decoders attach to frames beside their samples."""

from __future__ import annotations

from typing import Any

import av
from av.sidedata.sidedata import Type

DISPLAY_MATRIX = "DISPLAYMATRIX"
MASTERING_DISPLAY = "MASTERING_DISPLAY_METADATA"
CONTENT_LIGHT_LEVEL = "CONTENT_LIGHT_LEVEL"


def side_data(frame: av.VideoFrame) -> dict[str, bytes]:
    """The side data of a frame by PyAV's names; of kinds that PyAV does not know, ``UNKNOWN_`` and their number."""
    try:
        entries: Any = frame.side_data
    except ValueError:
        # FFmpeg's newer kinds (EXIF is one) are missing in PyAV's enumeration, which then gives none of them all.
        Type._missing_ = classmethod(_unknown_type)  # type: ignore[assignment, method-assign]
        entries = frame.side_data
    return {entry.type.name: bytes(entry) for entry in entries}


def _unknown_type(types: type[Any], value: object) -> Any:
    member = object.__new__(types)
    member._name_, member._value_ = f"UNKNOWN_{value}", value
    return member
