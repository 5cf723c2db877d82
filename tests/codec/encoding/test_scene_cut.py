"""Scene cuts on real clips."""

from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from scaleflow.codec.encoding.scene_cut import SceneCutDetector
from scaleflow.codec.video.reader import open_video
from tests.codec.conftest import packaged_clip
from tests.places import SHARED

EVALUATION_CLIPS = SHARED / "data" / "eval"


def lumas(path: Path, count: int) -> list[np.ndarray]:
    if not path.exists():
        pytest.skip(f"needs {path.name} of ../shared/data/eval")
    with open_video(path) as reader:
        return [picture.planes[0] for picture in islice(reader, count)]


def cuts(pictures: list[np.ndarray], bit_depth: int = 8) -> list[int]:
    detector = SceneCutDetector(bit_depth)
    return [number for number, luma in enumerate(pictures) if detector.is_cut(luma)]


def test_every_cut_of_a_real_clip_is_found_and_nothing_else() -> None:
    assert cuts(lumas(packaged_clip("bikes.mp4"), 250)) == [30, 76, 137, 187, 242]


@pytest.mark.parametrize("name", ["foreman_cif_intra.264", "mobile_cif_pcm.264", "park_joy_480x270.y4m"])
def test_camera_motion_is_no_cut(name: str) -> None:
    assert cuts(lumas(EVALUATION_CLIPS / name, 300)) == []


def test_clips_put_one_after_the_other_are_cut_there() -> None:
    bunny = lumas(packaged_clip("bigbuckbunny.mp4"), 12)
    bikes = [np.pad(luma, ((224, 224), (320, 320)), mode="edge") for luma in lumas(packaged_clip("bikes.mp4"), 12)]
    assert cuts(bunny + bikes + bunny) == [12, 24]


def test_ten_bits_are_judged_as_eight() -> None:
    pictures = lumas(packaged_clip("bikes.mp4"), 80)
    assert cuts([luma.astype(np.uint16) << 2 for luma in pictures], bit_depth=10) == [30, 76]


def test_a_flash_costs_at_most_one_key_frame() -> None:
    pictures = lumas(packaged_clip("bigbuckbunny.mp4"), 10)
    pictures[5] = np.full_like(pictures[5], 255)
    assert len(cuts(pictures)) <= 1
    brighter = [luma.astype(np.int16) for luma in pictures[:5]]
    brighter[2] = np.clip(brighter[2] + 80, 0, 255)
    assert cuts([luma.astype(np.uint8) for luma in brighter]) == []


def test_pictures_too_small_to_judge_are_no_cuts() -> None:
    assert cuts([np.zeros((4, 200), np.uint8), np.full((4, 200), 255, np.uint8)]) == []


def test_a_fade_is_no_cut() -> None:
    picture = lumas(packaged_clip("bikes.mp4"), 1)[0].astype(np.float32)
    fade = [(picture * level / 20).astype(np.uint8) for level in range(20)]
    assert all(np.any(a != b) for a, b in pairwise(fade)) and cuts(fade) == []
