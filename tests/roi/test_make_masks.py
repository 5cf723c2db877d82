"""Masks written to files, and read back."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scaleflow.codec.encoding.region_masks import to_codes
from scaleflow.codec.encoding.request import VideoSource
from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.codec.video.reader import open_video
from scaleflow.codec.video.writer import open_output
from scaleflow.errors import UsageError
from scaleflow.roi.make_masks import MakingProgress, make_masks
from scaleflow.roi.mask_sources.mask_file import open_mask_file
from tests.roi.conftest import video_of


class BrightFinder:
    """Finds what is bright, and needs no network for it."""

    def find(self, picture: Picture, neighbour: Picture | None, video: VideoProperties) -> NDArray[np.float32]:
        return picture.planes[0].astype(np.float32) / np.float32(255)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Ramps of odd size at uneven times, to be turned by players."""
    path = tmp_path / "clip.mkv"
    properties = video_of(35, 23, color_range="pc", time_base=Fraction(1, 1000), rotation=90)
    with open_output(path, properties, lossless=True) as output:
        for number in range(6):
            luma = (np.arange(23 * 35).reshape(23, 35) // 4 + 5 * number).astype(np.uint8)
            chroma = np.full((12, 18), 128, np.uint8)
            output.write(Picture((luma, chroma, chroma), 40 * number + 7 * (number % 3)))
    return path


@pytest.mark.parametrize("name", ["masks.mkv", "masks.mp4", "masks/", "m_%03d.png", "masks.y4m"])
def test_masks_are_read_back_as_they_were_found(clip: Path, tmp_path: Path, name: str) -> None:
    seen: list[MakingProgress] = []
    destination = f"{tmp_path}/{name}"
    made = make_masks(VideoSource(clip), destination, BrightFinder(), progress=seen.append)
    assert made.masks == 6 == len(seen) and seen[-1].masks == 6
    with open_video(clip) as reader:
        video, pictures = reader.properties, list(reader)
    masks = open_mask_file(destination, video)
    for number, picture in enumerate(pictures):
        assert np.array_equal(to_codes(masks.mask_at(number, 0.0)), picture.planes[0])
    assert made.mean_share == pytest.approx(np.mean([p.planes[0] for p in pictures]) / 255, rel=1e-5)
    if name == "masks.mkv":
        with open_video(destination) as reader:
            assert [picture.pts for picture in reader] == [picture.pts for picture in pictures]
            assert reader.properties.rotation == 90


def test_the_first_pictures_only(clip: Path, tmp_path: Path) -> None:
    assert make_masks(VideoSource(clip), tmp_path / "masks.mkv", BrightFinder(), frames=2).masks == 2


def test_pictures_of_the_input_are_not_replaced(clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    make_masks(VideoSource(clip), f"{folder}/", BrightFinder())
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for target in (f"{folder}/", f"{folder}/%d.png"):
        with pytest.raises(UsageError, match="choose another folder"):
            make_masks(VideoSource(folder), target, BrightFinder(), overwrite=True)
    for target in (clip, tmp_path / "no" / "masks.mkv"):
        with pytest.raises(UsageError):
            make_masks(VideoSource(clip), target, BrightFinder(), overwrite=True)
    with pytest.raises(UsageError, match="exists already"):
        make_masks(VideoSource(clip), f"{folder}/", BrightFinder())
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
