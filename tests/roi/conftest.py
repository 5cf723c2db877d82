"""Sequences of DAVIS with their masks, where the shared data is, and videos to make masks of."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from scaleflow.codec.picture import VideoProperties
from tests.places import SHARED

DAVIS = SHARED / "data" / "davis"


@pytest.fixture(scope="session")
def davis() -> Path:
    if not DAVIS.is_dir():
        pytest.skip("../shared/data/davis is not there")
    return DAVIS


def video_of(width: int, height: int, **others: object) -> VideoProperties:
    """A video of this size."""
    chosen = {"pixel_format": "yuv420p", "bit_depth": 8, "frame_rate": Fraction(25), "time_base": Fraction(1, 25)}
    return VideoProperties(width, height, **(chosen | others))  # type: ignore[arg-type]
