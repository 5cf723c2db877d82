"""MS-SSIM against the paper's equations in double precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import correlate1d

from scaleflow.codec.video import open_video
from scaleflow.evaluation.metrics.comparison import compare

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def blurred(plane: np.ndarray) -> np.ndarray:
    """A Gaussian window of 11 samples and sigma 1.5, where it lies within the picture."""
    window = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window /= window.sum()
    return correlate1d(correlate1d(plane, window, axis=0), window, axis=1)[5:-5, 5:-5]


def ms_ssim(a: np.ndarray, b: np.ndarray, region: np.ndarray | None = None) -> float:
    """Of planes in 0..1 whose sides can be halved four times; in a region, by the definition of this project."""
    value = 1.0
    region = np.ones_like(a) if region is None else region
    b = a + region * (b - a)
    for scale, weight in enumerate(WEIGHTS):
        mean_a, mean_b = blurred(a), blurred(b)
        variances = blurred(a * a) - mean_a**2 + blurred(b * b) - mean_b**2
        structure = (2 * (blurred(a * b) - mean_a * mean_b) + 0.03**2) / (variances + 0.03**2)
        luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
        last = scale == len(WEIGHTS) - 1
        local = structure * luminance if last else structure
        value *= float(np.average(local, weights=blurred(region))) ** weight
        if last:
            break
        a, b, region = (0.25 * (p[::2, ::2] + p[1::2, ::2] + p[::2, 1::2] + p[1::2, 1::2]) for p in (a, b, region))
    return value


def test_luma_and_rgb_agree_with_the_equations(bikes: Path, coded_bikes: Path) -> None:
    found = compare(bikes, coded_bikes, ["ms-ssim"], frames=3)
    with open_video(bikes) as ours, open_video(coded_bikes) as theirs:
        for n, (a, b) in zip(range(3), zip(ours, theirs, strict=True), strict=False):
            expected = ms_ssim(a.planes[0] / 255.0, b.planes[0] / 255.0)
            assert found.frames["ms-ssim-y"][n] == pytest.approx(expected, abs=2e-5)
    with open_video(bikes, working_format="rgb") as ours, open_video(coded_bikes, working_format="rgb") as theirs:
        for n, (a, b) in zip(range(3), zip(ours, theirs, strict=True), strict=False):
            expected = np.mean([ms_ssim(p / 255.0, q / 255.0) for p, q in zip(a.planes, b.planes, strict=True)])
            assert found.frames["ms-ssim-rgb"][n] == pytest.approx(expected, abs=2e-5)


def test_a_region_agrees_with_the_equations(bikes: Path, coded_bikes: Path) -> None:
    mask = np.zeros((224, 336), np.float32)
    mask[30:90, 200:330], mask[90:100, 200:330] = 1, 0.5

    class Masks:
        def mask_at(self, number: int, seconds: float) -> np.ndarray:
            return mask

    found = compare(bikes, coded_bikes, ["ms-ssim-y"], frames=2, open_masks=lambda video, pictures: Masks())
    with open_video(bikes) as ours, open_video(coded_bikes) as theirs:
        for n, (a, b) in zip(range(2), zip(ours, theirs, strict=True), strict=False):
            for name, region in (("roi", mask), ("background", 1 - mask)):
                expected = ms_ssim(a.planes[0] / 255.0, b.planes[0] / 255.0, region.astype(float))
                assert found.frames[f"ms-ssim-y-{name}"][n] == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize(("side", "exists"), [(160, False), (161, True)])
def test_small_pictures_have_none(
    ffmpeg: Callable[..., None], bikes: Path, tmp_path: Path, side: int, exists: bool
) -> None:
    ffmpeg("-i", bikes, "-vf", f"crop=200:{side}:0:0:exact=1", "-frames:v", 1, tmp_path / "small.y4m")
    found = compare(tmp_path / "small.y4m", tmp_path / "small.y4m", ["ms-ssim-y"])
    assert (found.frames["ms-ssim-y"] == [1.0]) == exists
    assert np.isnan(found.means["ms-ssim-y"]) != exists
