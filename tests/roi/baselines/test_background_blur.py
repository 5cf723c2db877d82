"""What blur does to pictures, and to the bits of their streams."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from scaleflow.codec.encoding.request import VideoSource
from scaleflow.codec.video import open_video
from scaleflow.errors import UsageError
from scaleflow.roi.baselines.background_blur import blur_background, blur_outside, check_blur
from tests.davis_clips import HEIGHT, WIDTH, opened, read_masks


def test_the_region_stays_what_it_is(car: Path, car_masks: Path, tmp_path: Path) -> None:
    copy = tmp_path / "blurred.y4m"
    blur_background(VideoSource(car), opened(car_masks), copy, 3.0)
    with open_video(car) as ours, open_video(copy) as theirs:
        assert theirs.properties.frame_rate == 24
        for before, after, mask in zip(ours, theirs, read_masks(car_masks), strict=True):
            luma, blurred = before.planes[0], after.planes[0]
            assert np.array_equal(luma[mask], blurred[mask])
            assert (
                np.abs(np.diff(blurred.astype(int)))[:, :30].mean()
                < 0.5 * np.abs(np.diff(luma.astype(int)))[:, :30].mean()
            )
            halves = mask.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).all((1, 3))
            assert np.array_equal(before.planes[1][halves], after.planes[1][halves])


def test_far_from_the_region_it_is_a_gaussian_mean(car: Path) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[:, :40] = 1
    with open_video(car) as reader:
        planes = next(iter(reader)).planes
    blurred = blur_outside(planes, mask, 4.0)
    for plane, before, scale in zip(blurred, planes, (1, 0.5, 0.5), strict=True):
        expected = gaussian_filter(before.astype(np.float32), 4.0 * scale).round()
        far = slice(round(80 * scale), None)
        assert np.array_equal(plane[:, far], expected[:, far]) and plane.dtype == before.dtype


@pytest.mark.parametrize("sigma", [0.0, -1.0, 65.0, float("nan")])
def test_widths_are_checked(sigma: float) -> None:
    with pytest.raises(UsageError, match="sigma"):
        check_blur(sigma)
