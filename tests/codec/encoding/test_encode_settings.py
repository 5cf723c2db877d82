"""Requests that make no sense are refused with the reason."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from scaleflow.codec.encoding.request import VideoSource, check_request
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.errors import UsageError
from scaleflow.quality_range import round_quality


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "none of quality"),
        ({"quality": 3, "bitrate": 5e5}, "quality and bitrate"),
        ({"quality": 64}, "quality 64 is outside 0..63"),
        ({"quality": math.nan}, "quality nan"),
        ({"bitrate": 0}, "bitrate 0"),
        ({"quality": 3, "two_pass": True}, "two_pass goes with"),
        ({"bitrate": 5e5, "workers": 2}, "add two_pass=True"),
        ({"quality": 3, "workers": 2, "intra_period": 0}, "intra_period above 0"),
        ({"quality": 3, "workers": 0}, "workers 0"),
        ({"quality": 3, "key_times": (1.0, -2.0)}, "key_times -2"),
        ({"quality": 3, "frames": 0}, "frames 0"),
        ({"quality": 3, "quality_cascade": ()}, "quality_cascade of 0 numbers"),
        ({"quality": 3, "quality_cascade": (1.0, 64.0)}, "quality_cascade 64 is outside -63..63"),
    ],
)
def test_refusals(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        EncodeSettings(**settings)  # type: ignore[arg-type]


def test_two_passes_allow_workers() -> None:
    assert EncodeSettings(bitrate=5e5, two_pass=True, workers=4).searches


def test_quality_lies_on_a_grid_of_sixteenths_within_its_range() -> None:
    assert [round_quality(quality) for quality in (-3, 1.03, 1.04, 70)] == [0, 1, 1.0625, 63]
    settings = EncodeSettings(quality=60, intra_quality_offset=4, quality_cascade=(1, -2))
    assert [settings.quality_of(59, number) for number in range(4)] == [63, 60, 57, 60]
    assert [settings.quality_of(61, number) for number in range(4)] == [63, 61.5, 60, 61.5]
    assert settings.quality_of(63, 1) == settings.quality_of(63, 2) == 63
    assert settings.quality_of(0, 1) == settings.quality_of(0, 2) == 0


def test_a_pipe_cannot_be_read_twice(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="save it to a file"):
        check_request(VideoSource("-"), tmp_path / "a.sfv", EncodeSettings(target_psnr=30))
    check_request(VideoSource("-"), tmp_path / "a.sfv", EncodeSettings(bitrate=1e5))


def test_an_output_without_a_folder_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        check_request(VideoSource("in.mp4"), tmp_path / "no" / "a.sfv", EncodeSettings(quality=30))
