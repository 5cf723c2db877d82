"""A real clip with real masks."""

from __future__ import annotations

from tests.codec.conftest import ffmpeg
from tests.davis_clips import car, car_masks, davis

__all__ = ["car", "car_masks", "davis", "ffmpeg"]
