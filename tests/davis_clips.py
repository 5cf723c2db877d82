"""Two of DAVIS's sequences with their masks, small and short, in DAVIS's layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from scaleflow.codec.encoding.region_masks import MaskSource
from scaleflow.codec.picture import VideoProperties
from scaleflow.roi.mask_sources.mask_file import open_mask_file
from tests.places import SHARED

DAVIS = SHARED / "data" / "davis"
SEQUENCES = ("car-roundabout", "libby")
WIDTH, HEIGHT, PICTURES = 160, 96, 4


@pytest.fixture(scope="session")
def davis(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Callable[..., object]) -> Path:
    """The folder that holds ``JPEGImages`` and ``Annotations``, of 4 pictures of 160x96 each, without loss."""
    if not DAVIS.is_dir():
        pytest.skip("needs the sequences of ../shared/data/davis")
    root = tmp_path_factory.mktemp("davis")
    for kind, suffix, filter_name in (("JPEGImages", "jpg", "area"), ("Annotations", "png", "neighbor")):
        for name in SEQUENCES:
            folder = root / kind / "480p" / name
            folder.mkdir(parents=True)
            cut = f"crop=800:480,scale={WIDTH}:{HEIGHT}:flags={filter_name}"
            source = DAVIS / kind / "480p" / name / f"%05d.{suffix}"
            ffmpeg("-i", source, "-vf", cut, "-frames:v", PICTURES, "-start_number", 0, folder / "%05d.png")
    return root


@pytest.fixture(scope="session")
def car(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Callable[..., object], davis: Path) -> Path:
    """The car's pictures as a y4m file in 4:2:0, 24 a second."""
    path = tmp_path_factory.mktemp("clips") / "car-roundabout.y4m"
    ffmpeg("-r", 24, "-i", davis / "JPEGImages/480p/car-roundabout/%05d.png", "-pix_fmt", "yuv420p", path)
    return path


@pytest.fixture(scope="session")
def car_masks(davis: Path) -> Path:
    """The folder of the car's masks."""
    return davis / "Annotations/480p/car-roundabout"


def read_masks(folder: Path) -> list[NDArray[np.bool_]]:
    """Binary masks (height, width), read without the code under test."""
    return [np.asarray(Image.open(path).convert("L")) > 127 for path in sorted(folder.iterdir())]


def opened(folder: Path) -> Callable[[VideoProperties, int | None], MaskSource]:
    """What opens the masks of a folder."""
    return lambda video, pictures: open_mask_file(folder, video, pictures)
