"""A real clip with real masks."""

from __future__ import annotations

from tests.davis_clips import car, car_masks, davis
from tests.pipeline.conftest import ffmpeg

__all__ = ["car", "car_masks", "davis", "ffmpeg"]
