"""Finders of regions on real sequences and on made ones."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from scaleflow.codec.encoding.request import VideoSource
from scaleflow.codec.picture import Picture
from scaleflow.codec.video.reader import open_video
from scaleflow.errors import UsageError
from scaleflow.roi.finders.global_motion import global_motion
from scaleflow.roi.finders.motion import MotionFinder
from scaleflow.roi.finders.names import FINDERS, make_finder
from scaleflow.roi.finders.neighbours import with_neighbours
from scaleflow.roi.finders.saliency import SaliencyFinder
from scaleflow.roi.mask_sources.found import find_in, open_found_masks
from scaleflow.roi.mask_sources.mask_file import open_mask_file
from tests.roi.conftest import davis, video_of

__all__ = ["davis"]


def textured(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Noise with detail at several sizes."""
    random = np.random.default_rng(seed)
    parts = [np.kron(random.normal(0, 25, (height // k + 1, width // k + 1)), np.ones((k, k))) for k in (2, 5, 16)]
    return (128 + sum(part[:height, :width] for part in parts)).clip(0, 255).astype(np.uint8)


def gray(luma: np.ndarray, pts: int = 0) -> Picture:
    chroma = np.full(((luma.shape[0] + 1) // 2, (luma.shape[1] + 1) // 2), 128, np.uint8)
    return Picture((luma, chroma, chroma), pts)


def panning(shift: int, own: int) -> Picture:
    """A textured ground that moves by ``shift``, and before it a square that moves by ``own`` more."""
    luma = np.roll(textured(176, 240), shift, 1)
    luma[64:112, 96 + shift + own : 144 + shift + own] = textured(48, 48, 1)
    return gray(luma)


def test_what_moves_with_the_camera_is_no_region() -> None:
    video, finder = video_of(240, 176), MotionFinder()
    still = finder.find(panning(3, 0), panning(0, 0), video)
    assert still.shape == (176, 240) and still.mean() < 0.02
    moving = finder.find(panning(3, 6), panning(0, 0), video)
    assert moving[72:104, 112:146].min() == 1 and moving.mean() < 0.25
    assert finder.find(panning(0, 0), None, video).max() == 0


def test_affine_motion_is_found_among_objects() -> None:
    rows, columns = np.mgrid[0:20, 0:30]
    camera = np.stack([0.1 * columns - 2, 0.05 * rows + 1], axis=2)
    vectors = camera.copy()
    vectors[5:14, 8:16] += [7.0, -3.0]
    found, deviation = global_motion(vectors, np.ones((20, 30)))
    assert np.abs(found - camera).max() < 0.01 and deviation == 0.25
    none, _ = global_motion(vectors, np.zeros((20, 30)))
    assert not none.any()


@pytest.mark.parametrize(("name", "recall"), [("soapbox", 0.9), ("dance-twirl", 0.85), ("horsejump-high", 0.9)])
def test_motion_finds_the_objects_of_real_sequences(davis: Path, name: str, recall: float) -> None:
    with open_video(davis / "JPEGImages" / "480p" / name) as reader:
        marked = open_mask_file(davis / "Annotations" / "480p" / name, reader.properties)
        found, inside, shares = [], [], []
        for number, (_, make) in enumerate(islice(find_in(reader, MotionFinder()), 0, 16)):
            if number % 5 == 0:
                mask, truth = make(), marked.mask_at(number, 0.0) > 0.5
                found.append((mask[truth] > 0.5).mean())
                inside.append(truth.mean())
                shares.append((mask > 0.5).mean())
    assert np.mean(found) > recall
    assert np.mean(shares) < 0.25 and np.mean(found) > 4 * np.mean(shares)


def test_the_first_picture_of_a_scene_looks_ahead(davis: Path) -> None:
    folder = davis / "JPEGImages" / "480p"
    with open_video(folder / "soapbox") as one, open_video(folder / "libby") as other:
        pictures = [*islice(one, 3), *islice(other, 3)]
    neighbours = dict(zip(range(6), with_neighbours(pictures, 8), strict=True))
    for number, expected in enumerate((1, 0, 1, 4, 3, 4)):
        picture, neighbour = neighbours[number]
        assert picture is pictures[number] and neighbour is pictures[expected]
    assert list(with_neighbours(pictures[:1], 8)) == [(pictures[0], None)]
    assert [pair[1] for pair in with_neighbours(pictures[2:4], 8)] == [None, None]


def test_what_is_unlike_the_rest_is_salient() -> None:
    luma = np.tile(np.kron([[90, 150], [150, 90]], np.ones((6, 6))), (15, 20)).astype(np.uint8)
    luma[60:90, 150:190] = textured(30, 40)
    mask = SaliencyFinder().find(gray(luma), None, video_of(240, 180))
    rows, columns = np.nonzero(mask > 0.9)
    assert abs((rows.mean() + 0.5) * 180 / mask.shape[0] - 75) < 12
    assert abs((columns.mean() + 0.5) * 240 / mask.shape[1] - 170) < 12
    assert (mask > 0.5).mean() < 0.15


def test_nothing_is_salient_in_a_flat_picture() -> None:
    assert SaliencyFinder().find(gray(np.full((90, 160), 77, np.uint8)), None, video_of(160, 90)).max() == 0


@pytest.mark.parametrize("size", [(1, 1), (17, 3), (64, 48), (33, 250)])
@pytest.mark.parametrize("name", sorted(FINDERS))
def test_any_size_and_depth(name: str, size: tuple[int, int]) -> None:
    width, height = size
    video = video_of(width, height, bit_depth=10, pixel_format="yuv420p10le")
    pictures = [gray(textured(height, width, seed).astype(np.uint16) * 4) for seed in (0, 1)]
    mask = make_finder(name).find(pictures[1], pictures[0], video)
    assert mask.dtype == np.float32 and np.isfinite(mask).all() and 0 <= mask.min() <= mask.max() <= 1


def test_masks_are_found_when_they_are_asked_for(davis: Path) -> None:
    source = VideoSource(davis / "JPEGImages" / "480p" / "soapbox")
    with source.open("yuv420") as reader:
        video = reader.properties
        expected = [make() for _, make in islice(find_in(reader, SaliencyFinder()), 4)]
    masks = open_found_masks(source, SaliencyFinder(), video)
    for number in (3, 0, 2):
        assert np.array_equal(masks.mask_at(number, 0.0), expected[number])
    with pytest.raises(UsageError, match="save it to a file first"):
        open_found_masks(VideoSource("-"), SaliencyFinder(), video)


def test_names_of_networks_that_are_not_there() -> None:
    for name in ("segmentation", "detection"):
        with pytest.raises(
            UsageError, match=f"'{name}' needs a network: name a run of scaleflow nets train as finder_network"
        ):
            make_finder(name)
    known = "motion, saliency, segmentation, foreground, detection, keypoints"
    with pytest.raises(UsageError, match=f"'faces' finds no regions: use {known}"):
        make_finder("faces")
