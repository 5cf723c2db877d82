"""Boxes from JSON, in both vocabularies."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleflow.errors import DataError, UsageError
from scaleflow.roi.mask_sources.addroi import AddroiBoxes
from scaleflow.roi.mask_sources.box_file import read_box_file
from scaleflow.roi.mask_sources.coco import CocoBoxes
from tests.roi.conftest import video_of

VIDEO = video_of(64, 48)


def written(tmp_path: Path, values: object) -> Path:
    path = tmp_path / "boxes.json"
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return path


def coco(*boxes: tuple[int, list[float]], images: list[dict[str, object]] | None = None) -> dict[str, object]:
    return {
        "images": [{"id": 7}, {"id": 3}, {"id": 5}] if images is None else images,
        "annotations": [{"id": n, "image_id": image, "bbox": box} for n, (image, box) in enumerate(boxes)],
    }


def test_coco_boxes_belong_to_images_in_their_order(tmp_path: Path) -> None:
    path = written(tmp_path, coco((3, [8, 4, 16, 10]), (3, [40.5, 20, 10, 10.2]), (5, [0, 0, 64, 48])))
    file = read_box_file(path)
    assert file.strength is None
    masks = file.masks(VIDEO, 3)
    assert masks.mask_at(0, 0.0).max() == 0 and masks.mask_at(2, 0.0).min() == 1
    expected = np.zeros((48, 64))
    expected[4:14, 8:24] = expected[20:31, 40:51] = 1
    assert np.array_equal(masks.mask_at(1, 0.0), expected)
    with pytest.raises(DataError, match="holds 3 masks, the video has 9 pictures"):
        read_box_file(path).masks(VIDEO, 9).mask_at(3, 0.0)


def test_coco_images_may_be_numbered_and_of_another_size() -> None:
    images: list[dict[str, object]] = [
        {"id": 1, "frame_id": 1, "width": 128, "height": 96, "file_name": "b.png"},
        {"id": 2, "frame_id": 0, "width": 128, "height": 96},
        {"id": "x", "frame_id": 4},
    ]
    masks = CocoBoxes("b", coco((1, [32, 32, 64, 16]), images=images)).masks(VIDEO)
    assert masks.mask_at(0, 0.0).max() == 0
    mask = masks.mask_at(1, 0.0)
    assert mask[16:24, 16:48].min() == 1 and mask.sum() == 8 * 32
    with pytest.raises(DataError, match="no image with the frame_id 2"):
        masks.mask_at(2, 0.0)


def test_a_sample_beyond_the_border_is_rounding() -> None:
    masks = CocoBoxes("b", coco((7, [-0.6, 40, 65.2, 8.9]))).masks(VIDEO)
    assert masks.mask_at(0, 0.0)[40:].min() == 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("{", "is no JSON"),
        ("", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ('[{"x": NaN, "y": 0, "w": 1, "h": 1}]', "NaN is no number"),
        ('[{"x": -Infinity, "y": 0, "w": 1, "h": 1}]', "-Infinity is no number"),
        ('[{"x": 1e999, "y": 0, "w": 1, "h": 1}]', r"\[0\].x: Infinity is outside"),
        ("3", "holds neither"),
        ({"annotations": []}, "holds neither"),
        ({"images": {}, "annotations": []}, "images: expected a list"),
        (coco(images=[{}]), r"images\[0\]: has no 'id'"),
        (coco(images=[{"id": 1}, {"id": 1}]), r"images\[1\]: another image has the id 1"),
        (coco(images=[{"id": 1, "frame_id": 0}, {"id": 2}]), "1 of 2 images have a frame_id"),
        (coco(images=[{"id": 1, "frame_id": 0}, {"id": 2, "frame_id": 0}]), "another image has the frame_id 0"),
        (coco(images=[{"id": 1, "frame_id": -1}]), "frame_id: -1 is outside"),
        (coco(images=[{"id": 1, "width": 64}]), "has no 'height'"),
        (coco(images=[{"id": 1, "width": 64, "height": 0}]), "height: 0 is outside"),
        (coco(images=[{"id": 1, "width": 64, "height": 64}]), r"images\[0\]: is 64x64, of another aspect ratio"),
        (coco((9, [0, 0, 1, 1])), r"annotations\[0\]: there is no image with the id 9"),
        (coco((7, [0, 0, 1])), r"annotations\[0\].bbox: expected a list of 4 numbers"),
        (coco((7, [0, 0, "a", 1])), r"bbox\[2\]: expected a number"),
        (coco((7, [0, 0, True, 1])), r"bbox\[2\]: expected a number"),
        (coco((7, [0, 0, 0, 1])), "a box of 0x1 covers nothing"),
        (coco((7, [60, 0, 10, 1])), r"annotations\[0\]: the box from \(60, 0\) to \(70, 1\) is not within .* 64x48"),
        (coco((7, [-5, 0, 10, 1])), "is not within"),
        ([3], r"\[0\]: expected an object"),
        ([{"x": 0, "y": 0, "w": 1}], r"\[0\]: has no 'h'"),
        ([{"x": 0, "y": 0, "w": 1, "h": 1, "frme": 1}], r"\[0\]: 'frme' is unknown"),
        ([{"x": 0, "y": 0, "w": 1, "h": 1, "qoffset": -1.5}], "qoffset: -1.5 is outside -1..1"),
        ([{"x": 0, "y": 0, "w": 1, "h": 1, "frame": 1, "seconds": [0, 1]}], "has frame and seconds: give one"),
        ([{"x": 0, "y": 0, "w": 1, "h": 1, "frame": 1.5}], "frame: expected a whole number"),
        ([{"x": 0, "y": 0, "w": 1, "h": 1, "frames": [5, 2]}], "5 to 2 is no range"),
        ([{"x": 0, "y": 0, "w": 1, "h": 1, "seconds": 2}], "seconds: expected a list of 2 numbers"),
        ([{"x": 0, "y": 40, "w": 1, "h": 10}], r"\[0\]: the box .* is not within"),
    ],
)
def test_mistakes_say_where_they_are(tmp_path: Path, values: object, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read_box_file(written(tmp_path, values)).masks(VIDEO)
    assert "boxes.json" in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_box_file(tmp_path / "none.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="is no JSON"):
        read_box_file(tmp_path / "bytes.json")


def region(qoffset: float | None = None, **others: object) -> dict[str, object]:
    values: dict[str, object] = {"x": 8, "y": 8, "w": 16, "h": 8, **others}
    return values if qoffset is None else values | {"qoffset": qoffset}


def test_a_single_offset_is_all_or_nothing_and_says_the_strength() -> None:
    boxes = AddroiBoxes("b", [region(-0.2)])
    mask = boxes.masks(VIDEO).mask_at(0, 0.0)
    assert mask[8:16, 8:24].min() == 1 and mask.sum() == 16 * 8
    assert boxes.strength == pytest.approx(2 ** (0.2 * 8.5))
    worse = AddroiBoxes("b", [region(0.1)])
    mask = worse.masks(VIDEO).mask_at(0, 0.0)
    assert mask[8:16, 8:24].max() == 0 and (1 - mask).sum() == 16 * 8
    assert worse.strength == AddroiBoxes("b", [region()]).strength  # a tenth, as of the filter


def test_offsets_are_graded_between_the_extremes_and_the_first_holds() -> None:
    boxes = AddroiBoxes("b", [region(0.5), region(-1, x=0, y=0, w=32, h=20), region(-0.5, x=40)])
    mask = boxes.masks(VIDEO).mask_at(0, 0.0)
    assert mask[10, 10] == 0 and mask[1, 1] == 1  # worst in best
    assert mask[40, 40] == pytest.approx(0.5 / 1.5) and mask[10, 45] == pytest.approx(1 / 1.5)
    assert boxes.strength == 64


def test_nothing_asked_for_leaves_all_inside() -> None:
    for values in ([], [region(0)]):
        boxes = AddroiBoxes("b", values)
        assert boxes.strength is None and boxes.masks(VIDEO).mask_at(0, 0.0).min() == 1


def test_times_of_regions() -> None:
    values = [region(-1, frame=2), region(-1, x=0, frames=[4, 5]), region(-1, x=40, seconds=[0.08, 0.121])]
    masks = AddroiBoxes("b", values).masks(VIDEO)
    shown = [[bool(mask[10, x]) for x in (23, 0, 45)] for mask in (masks.mask_at(n, n / 25) for n in range(6))]
    assert [row[0] for row in shown] == [False, False, True, False, False, False]
    assert [row[1] for row in shown] == [False] * 4 + [True] * 2
    assert [row[2] for row in shown] == [False, False, True, True, False, False]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["x", "y", "w", "h", "qoffset", "frames", "id", "bbox"]), inner, max_size=6)
    ),
    max_leaves=12,
)


@given(json_values, json_values)
def test_any_json_is_boxes_or_a_clear_error(first: object, second: object) -> None:
    for make in (
        lambda: AddroiBoxes("b", first if isinstance(first, list) else [first]),
        lambda: CocoBoxes("b", {"images": first, "annotations": second}),
    ):
        try:
            masks = make().masks(VIDEO)
            assert masks.mask_at(0, 0.0).shape == (48, 64)
        except DataError as error:
            assert "\n" not in str(error)
