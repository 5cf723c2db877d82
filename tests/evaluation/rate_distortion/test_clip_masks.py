"""Where the masks of clips are looked for."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scaleflow.errors import UsageError
from scaleflow.evaluation.rate_distortion.clip_files import ClipFile, find_clips
from scaleflow.evaluation.rate_distortion.clip_masks import WrittenMasks, find_masks, open_masks_at
from scaleflow.evaluation.rate_distortion.source_clip import open_clip, prepare_clip
from tests.davis_clips import HEIGHT, SEQUENCES, WIDTH, read_masks


@pytest.fixture
def clips(davis: Path) -> list[ClipFile]:
    return find_clips([str(davis / "JPEGImages/480p")], frame_rate=Fraction(24))


def test_davis_has_its_masks_beside_its_pictures(davis: Path, clips: list[ClipFile]) -> None:
    expected = {name: davis / "Annotations/480p" / name for name in SEQUENCES}
    assert find_masks("davis", clips) == expected
    assert find_masks(str(davis), clips) == expected
    assert find_masks(str(davis / "Annotations/480p"), clips) == expected


def test_masks_go_by_the_names_of_clips(davis: Path, tmp_path: Path, car: Path) -> None:
    clip = ClipFile("car.final.mp4", car)
    still = davis / "Annotations/480p/libby/00000.png"
    shutil.copy(still, tmp_path / "car.final.png")
    (tmp_path / "other.json").write_text("[]")
    assert find_masks(str(tmp_path), [clip, ClipFile("other.y4m", car)]) == {
        "car.final.mp4": tmp_path / "car.final.png",
        "other.y4m": tmp_path / "other.json",
    }
    # the masks of the only clip need no name
    assert find_masks(str(still), [clip]) == {clip.name: still}
    assert find_masks(str(still.parent), [clip]) == {clip.name: still.parent}


def test_masks_that_are_not_there_are_named(davis: Path, clips: list[ClipFile], tmp_path: Path, car: Path) -> None:
    for place, given, message in (
        (str(tmp_path / "none"), clips, "there is no such file or folder"),
        (str(tmp_path), clips, "holds no region of car-roundabout: .* named car-roundabout is looked for"),
        ("davis", [ClipFile("car.y4m", car)], "does not lie in a folder JPEGImages"),
    ):
        with pytest.raises(UsageError, match=message):
            find_masks(place, given)
    for suffix in (".mp4", ".json"):
        (tmp_path / f"car-roundabout{suffix}").touch()
    with pytest.raises(UsageError, match="holds several regions"):
        find_masks(str(tmp_path), clips)


def test_codecs_get_the_masks_of_the_pictures_that_are_coded(
    davis: Path, clips: list[ClipFile], tmp_path: Path
) -> None:
    masks = find_masks("davis", clips)[clips[0].name]
    source = prepare_clip(clips[0], 3, tmp_path, masks)
    assert source.masks is not None and len(list(source.masks.iterdir())) == 3
    for found, mask in zip(read_masks(source.masks), read_masks(masks), strict=False):
        assert np.array_equal(found, mask)
    assert source.clip.masks_path == str(masks)
    again = WrittenMasks(tmp_path / "again")
    for mask in read_masks(masks)[:3]:
        again.write(mask.astype(np.float32))
    assert again.content.digest() == source.clip.masks
    source.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_boxes_are_masks_too(clips: list[ClipFile], tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps([{"x": 10, "y": 20, "w": 30, "h": 40, "qoffset": -0.5}]))
    with open_clip(clips[0]) as reader:
        mask = open_masks_at(path)(reader.properties, reader.frame_count).mask_at(2, 0.1)
    expected = np.zeros((HEIGHT, WIDTH), np.float32)
    expected[20:60, 10:40] = 1
    assert np.array_equal(mask, expected)


def test_grades_come_through_the_written_folder(clips: list[ClipFile], tmp_path: Path) -> None:
    mask = np.tile(np.arange(WIDTH, dtype=np.float32) / 255, (HEIGHT, 1))
    written = WrittenMasks(tmp_path / "masks")
    written.write(mask)
    assert Image.open(tmp_path / "masks" / "000000.png").mode == "L"
    with open_clip(clips[0]) as reader:
        found = open_masks_at(written.folder)(reader.properties, 1).mask_at(0, 0.0)
    assert np.allclose(found, mask, atol=1e-6)
