"""Real clips and what codecs make of them, small enough to measure often."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.codec.conftest import carphone, ffmpeg, packaged_clip
from tests.codec.video.conftest import evaluation_clip
from tests.davis_clips import car, car_masks, davis
from tests.evaluation.results_folder import add_points
from tests.places import SHARED

__all__ = ["car", "car_masks", "carphone", "davis", "evaluation_clip", "ffmpeg"]

FRAMES = 6


@pytest.fixture(scope="session")
def bikes(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Callable[..., None]) -> Path:
    """Ten pictures of a real clip at 25 a second, 336x224, without loss."""
    path = tmp_path_factory.mktemp("clips") / "bikes.y4m"
    cut = "crop=336:224,setpts=N/25/TB"
    ffmpeg("-ss", 2, "-i", packaged_clip("bikes.mp4"), "-vf", cut, "-r", 25, "-frames:v", 10, path)
    return path


@pytest.fixture(scope="session")
def coded_bikes(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Callable[..., None], bikes: Path) -> Path:
    """The same through x264."""
    path = tmp_path_factory.mktemp("clips") / "bikes.mp4"
    ffmpeg("-i", bikes, "-c:v", "libx264", "-threads", 1, "-crf", 32, path)
    return path


@pytest.fixture(scope="session")
def lpips_backbone() -> Path:
    """AlexNet's weights of ImageNet; the test is skipped where they are absent."""
    path = SHARED / "weights" / "lpips_alexnet_features.safetensors"
    if not path.exists():
        pytest.skip("needs lpips_alexnet_features.safetensors of ../shared/weights")
    return path


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory, carphone: Path, ffmpeg: Callable[..., None]) -> Path:
    """Six pictures of 88x72 by x264 and by the shipped model, three points each."""
    folder = tmp_path_factory.mktemp("measured") / "results"
    add_points(folder, carphone, FRAMES, ffmpeg)
    return folder
