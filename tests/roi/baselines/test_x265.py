"""FFmpeg's regions of interest reach x265, and matter."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scaleflow.codec.distortion import region_psnr
from scaleflow.codec.encoding.request import VideoSource
from scaleflow.codec.video import open_video
from scaleflow.errors import UsageError
from scaleflow.evaluation.ffmpeg import find_ffmpeg
from scaleflow.evaluation.rate_distortion.codecs import named_codec
from scaleflow.roi.baselines.region_cells import CELL
from scaleflow.roi.baselines.x265 import X265Settings, cover, encode_x265
from tests.davis_clips import opened, read_masks


def encode(car: Path, masks: Path, path: Path, crf: float, strength: float, preset: str = "medium") -> int:
    encode_x265(VideoSource(car), path, X265Settings(crf, strength, preset), opened(masks), True)
    return path.stat().st_size


def qualities(car: Path, decoded: Path, masks: Path) -> tuple[float, float]:
    """Mean PSNR of luma inside and outside."""
    found = []
    with open_video(car) as ours, open_video(decoded) as theirs:
        for a, b, mask in zip(ours, theirs, read_masks(masks), strict=True):
            pair = [region_psnr(a.planes, b.planes, 8, part.astype(np.uint8)) for part in (mask, ~mask)]
            found.append([planes[0] for planes in pair if planes is not None])
    inside, outside = np.mean(found, axis=0)
    return float(inside), float(outside)


@pytest.mark.parametrize("preset", ["ultrafast", "medium"])
def test_more_quality_inside_with_fewer_bytes(car: Path, car_masks: Path, tmp_path: Path, preset: str) -> None:
    plain, regions = tmp_path / "plain.nut", tmp_path / "regions.nut"
    plain_size = encode(car, car_masks, plain, 33, 1, preset)
    regions_size = encode(car, car_masks, regions, 28, 8, preset)
    assert regions_size < plain_size
    plain_inside, plain_outside = qualities(car, plain, car_masks)
    inside, outside = qualities(car, regions, car_masks)
    assert inside > plain_inside + 1 and outside < plain_outside - 1


def test_without_offsets_it_is_the_anchor(
    car: Path, car_masks: Path, tmp_path: Path, ffmpeg: Callable[..., object]
) -> None:
    size = encode(car, car_masks, tmp_path / "ours.nut", 28, 1)
    codec = named_codec("x265")
    program = str(find_ffmpeg(None, encoders=["libx265"]))
    setting = next(setting for setting in codec.settings if setting.label == "-crf 28")
    files = {"INPUT": str(car), "OUTPUT": str(tmp_path / "anchor.nut")}
    command = [files.get(part, part) for part in codec.encode_command(setting, 32, 1, program)]
    subprocess.run(command, check=True)
    assert size == pytest.approx((tmp_path / "anchor.nut").stat().st_size, rel=0.03)
    ours, anchor = (qualities(car, tmp_path / f"{name}.nut", car_masks) for name in ("ours", "anchor"))
    assert ours == pytest.approx(anchor, abs=0.1)


@given(
    arrays(np.float32, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.sampled_from([0.0, 0.125, 0.5])),
    st.integers(0, CELL - 1),
    st.integers(0, CELL - 1),
)
def test_rectangles_cover_each_sample_once(offsets: np.ndarray, less_high: int, less_wide: int) -> None:
    height, width = CELL * offsets.shape[0] - less_high, CELL * offsets.shape[1] - less_wide
    drawn = np.zeros((height, width), np.float32)
    for region in cover(offsets, width, height):
        assert region.x + region.width <= width and region.y + region.height <= height
        part = drawn[region.y : region.y + region.height, region.x : region.x + region.width]
        assert part.size and not part.any()
        part += region.offset
    assert np.array_equal(drawn, np.kron(offsets, np.ones((CELL, CELL), np.float32))[:height, :width])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"crf": 52.0}, "crf 52"),
        ({"strength": 65.0}, "strength 65"),
        ({"threads": 0}, "threads 0"),
        ({"intra_period": 0}, "intra_period 0"),
    ],
)
def test_settings_are_checked(values: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        X265Settings(**{"crf": 28.0, "strength": 8.0, **values})  # type: ignore[arg-type]
