"""Metrics within a region and outside it, against the same computed by hand on parts of the pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scaleflow.codec.picture import Planes
from scaleflow.codec.video import open_video
from scaleflow.errors import DataError
from scaleflow.evaluation.metrics.comparison import Comparison, compare
from scaleflow.evaluation.metrics.names import INSIDE, OUTSIDE, expand_metrics, with_regions
from tests.davis_clips import HEIGHT, WIDTH, opened, read_masks

FFmpeg = Callable[..., None]
TOP, LEFT, BOTTOM, RIGHT = 20, 36, 80, 140


@dataclass
class Masks:
    """The same mask for all pictures, but none in those named."""

    mask: NDArray[np.float32]
    empty: tuple[int, ...] = ()

    def mask_at(self, number: int, seconds: float) -> NDArray[np.float32]:
        return np.zeros_like(self.mask) if number in self.empty else self.mask


def compare_with(original: Path, decoded: Path, metrics: list[str], masks: Masks, **options: object) -> Comparison:
    return compare(original, decoded, metrics, open_masks=lambda video, pictures: masks, **options)  # type: ignore[arg-type]


def box(height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.float32]:
    mask = np.zeros((height, width), np.float32)
    mask[TOP:BOTTOM, LEFT:RIGHT] = 1
    return mask


def pictures(path: Path, working_format: str = "yuv420") -> list[Planes]:
    with open_video(path, working_format=working_format) as reader:  # type: ignore[arg-type]
        return [picture.planes for picture in reader]


def psnr(error: float) -> float:
    return 10 * math.log10(255**2 / error)


def squared(first: NDArray[np.generic], second: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.asarray((first.astype(float) - second.astype(float)) ** 2)


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory, ffmpeg: FFmpeg, car: Path) -> Path:
    path = tmp_path_factory.mktemp("coded") / "car.mp4"
    ffmpeg("-i", car, "-c:v", "libx264", "-threads", 1, "-crf", 32, path)
    return path


def test_psnr_of_a_box_is_that_of_the_part_cut_out(car: Path, coded: Path) -> None:
    found = compare_with(car, coded, ["psnr"], Masks(box()))
    for number, (ours, theirs) in enumerate(zip(pictures(car), pictures(coded), strict=True)):
        inside = []
        for plane, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            part = (slice(TOP, BOTTOM), slice(LEFT, RIGHT))
            if plane:
                part = (slice(TOP // 2, BOTTOM // 2), slice(LEFT // 2, RIGHT // 2))
            errors = squared(a, b)
            inside.append(psnr(errors[part].mean()))
            outside = (errors.sum() - errors[part].sum()) / (errors.size - errors[part].size)
            name = f"psnr-{'yuv'[plane]}"
            assert found.frames[name + INSIDE][number] == pytest.approx(inside[-1], abs=1e-4)
            assert found.frames[name + OUTSIDE][number] == pytest.approx(psnr(outside), abs=1e-4)
        assert found.frames["psnr-yuv-roi"][number] == pytest.approx(
            (6 * inside[0] + inside[1] + inside[2]) / 8, abs=1e-4
        )
    assert found.region_areas == pytest.approx([60 * 104 / (96 * 160)] * 4)
    assert list(found.frames) == list(with_regions(expand_metrics(["psnr"])))


def test_psnr_of_rgb(car: Path, coded: Path) -> None:
    found = compare_with(car, coded, ["psnr-rgb"], Masks(box()))
    for number, (ours, theirs) in enumerate(zip(pictures(car, "rgb"), pictures(coded, "rgb"), strict=True)):
        errors = [squared(a, b)[TOP:BOTTOM, LEFT:RIGHT].mean() for a, b in zip(ours, theirs, strict=True)]
        assert found.frames["psnr-rgb-roi"][number] == pytest.approx(psnr(float(np.mean(errors))), abs=1e-4)


def test_the_mean_error_of_a_sequence_with_its_own_masks(car: Path, coded: Path, car_masks: Path) -> None:
    found = compare(car, coded, ["psnr-y"], open_masks=opened(car_masks))
    masks = read_masks(car_masks)
    pairs = zip(pictures(car), pictures(coded), masks, strict=True)
    errors = [squared(a[0], b[0])[mask].mean() for a, b, mask in pairs]
    assert found.frames["psnr-y-roi"] == pytest.approx([psnr(error) for error in errors], abs=1e-4)
    assert found.means["psnr-y-roi-of-mean-mse"] == pytest.approx(psnr(float(np.mean(errors))), abs=1e-4)
    assert found.region_areas == pytest.approx([mask.mean() for mask in masks])


def test_a_graded_mask_weighs(car: Path, coded: Path) -> None:
    mask = np.linspace(0, 1, WIDTH, dtype=np.float32)[None].repeat(HEIGHT, 0)
    found = compare_with(car, coded, ["psnr-y", "psnr-u"], Masks(mask))
    (ours, theirs), *_ = zip(pictures(car), pictures(coded), strict=True)
    error = np.average(squared(ours[0], theirs[0]), weights=mask)
    assert found.frames["psnr-y-roi"][0] == pytest.approx(psnr(error), abs=1e-4)
    halves = mask.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).mean((1, 3))
    error = np.average(squared(ours[1], theirs[1]), weights=1 - halves)
    assert found.frames["psnr-u-background"][0] == pytest.approx(psnr(error), abs=1e-4)


def test_pictures_without_a_region_are_left_out(car: Path, coded: Path) -> None:
    found = compare_with(car, coded, ["psnr-y"], Masks(box(), empty=(1, 2)))
    whole = compare(car, coded, ["psnr-y"])
    inside = found.frames["psnr-y-roi"]
    assert [math.isnan(value) for value in inside] == [False, True, True, False]
    assert found.means["psnr-y-roi"] == pytest.approx((inside[0] + inside[3]) / 2)
    assert found.frames["psnr-y-background"][1] == pytest.approx(whole.frames["psnr-y"][1])
    assert found.region_areas is not None and found.region_areas.count(0.0) == 2
    assert found.frames["psnr-y"] == whole.frames["psnr-y"] and whole.region_areas is None
    full = compare_with(car, coded, ["psnr-y"], Masks(np.ones_like(box())))
    assert all(map(math.isnan, full.frames["psnr-y-background"])) and math.isnan(full.means["psnr-y-background"])


def test_a_region_that_is_all_is_the_picture(bikes: Path, coded_bikes: Path, lpips_backbone: Path) -> None:
    mask = np.ones((224, 336), np.float32)
    options = {"frames": 2, "lpips_backbone": lpips_backbone}
    found = compare_with(bikes, coded_bikes, ["psnr", "ms-ssim", "lpips"], Masks(mask), **options)
    for name in expand_metrics(["psnr", "ms-ssim", "lpips"]):
        assert found.frames[name + INSIDE] == pytest.approx(found.frames[name], abs=2e-5)


def test_errors_outside_do_not_count_inside(ffmpeg: FFmpeg, bikes: Path, tmp_path: Path, lpips_backbone: Path) -> None:
    """A grey frame around the box; the box itself is whole."""
    spoilt = tmp_path / "spoilt.y4m"
    sides = ((0, 0, 336, TOP), (0, BOTTOM, 336, 224), (0, 0, LEFT, 224), (RIGHT, 0, 336, 224))
    ffmpeg("-i", bikes, "-vf", ",".join(f"drawbox={x}:{y}:{w}:{h}:gray:fill" for x, y, w, h in sides), spoilt)
    options = {"frames": 1, "lpips_backbone": lpips_backbone}
    found = compare_with(bikes, spoilt, ["psnr-y", "ms-ssim", "lpips"], Masks(box(224, 336)), **options)
    assert math.isinf(found.frames["psnr-y-roi"][0])
    assert found.frames["ms-ssim-y-roi"][0] == pytest.approx(1)
    # on the way to RGB, chroma of the frame comes one sample into the box
    assert found.frames["lpips-roi"][0] == pytest.approx(0, abs=1e-4)
    assert found.frames["ms-ssim-y"][0] < 0.5 and found.frames["lpips"][0] > 0.3
    # nearly all that there is to see is outside
    assert found.frames["ms-ssim-y-background"][0] < found.frames["ms-ssim-y"][0]
    assert found.frames["lpips-background"][0] > found.frames["lpips"][0]


def test_too_few_masks_are_an_error(car: Path, coded: Path, car_masks: Path, tmp_path: Path) -> None:
    for path in sorted(car_masks.iterdir())[:3]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DataError, match="holds 3 masks, the video has 4 pictures"):
        compare(car, coded, ["psnr-y"], open_masks=opened(tmp_path))
