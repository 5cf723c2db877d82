"""Cityscapes' layout, made small: what is found, how label ids become classes, what is said of an incomplete tree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scaleflow.efficient_nets.data.cityscapes import CLASSES
from scaleflow.efficient_nets.data.label_maps import VOID
from scaleflow.efficient_nets.tasks.description import TaskSettings
from scaleflow.efficient_nets.tasks.known_tasks import make_task
from scaleflow.errors import DataError, UsageError
from tests.cityscapes_tree import cityscapes_tree


def test_frames_of_all_cities_with_their_labels(tmp_path: Path) -> None:
    tree = cityscapes_tree(tmp_path)
    data = make_task("segmentation").open(tree, "train")
    assert data.classes == tuple(CLASSES) and len(data.classes) == 19 and data.classes[13] == "car"
    assert [frame.full_name for frame in data.frames] == [
        f"{city}/{city}_00000{n}_000019_leftImg8bit.png" for city in ("aachen", "ulm") for n in range(3)
    ]
    assert len(data.videos()) == 6, "each frame is of a video of its own"
    assert {frame.video for frame in data.chosen(["ulm"]).frames} == {"ulm"}
    assert [frame.video for frame in make_task("segmentation").open(tree, "val").frames] == ["lindau"] * 2
    picture, labels = data.frames[0].read_picture(), data.frames[0].target()
    assert picture.shape[1:] == labels.shape == (64, 96) and labels.dtype == torch.uint8


def test_label_ids_become_the_classes_that_are_evaluated(tmp_path: Path) -> None:
    tree = cityscapes_tree(tmp_path)
    frame = make_task("segmentation").open(tree, "train").frames[0]
    path = tree / "gtFine" / "train" / "aachen" / "aachen_000000_000019_gtFine_labelIds.png"
    ids = np.array([[7, 26, 33, 0, 6, 29, 30, 255]], np.uint8)
    Image.fromarray(ids).save(path)
    assert frame.target().tolist() == [[0, 13, 18, VOID, VOID, VOID, VOID, VOID]]
    Image.fromarray(np.array([[7, 34]], np.uint8)).save(path)
    with pytest.raises(DataError, match=r"labelIds.png: 34 at column 1, line 0 is no label id of Cityscapes"):
        frame.target()


def test_what_an_incomplete_tree_lacks_is_said(tmp_path: Path) -> None:
    tree = cityscapes_tree(tmp_path)
    label = tree / "gtFine" / "train" / "ulm" / "ulm_000001_000019_gtFine_labelIds.png"
    label.unlink()
    with pytest.raises(DataError, match=r"ulm_000001_000019_leftImg8bit.png: has no labels: .*gtFine_labelIds.png is"):
        make_task("segmentation").open(tree, "train")
    with pytest.raises(UsageError, match=r"has no leftImg8bit/test: expected leftImg8bit/test/CITY/\*_leftImg8bit.png"):
        make_task("segmentation").open(tree, "test")
    (tree / "gtFine").rename(tree / "elsewhere")
    with pytest.raises(UsageError, match=r"has no gtFine/train: expected gtFine/train/CITY/\*_gtFine_labelIds.png"):
        make_task("segmentation").open(tree, "train")
    for path in (tree / "leftImg8bit" / "val").rglob("*.png"):
        path.unlink()
    (tree / "elsewhere").rename(tree / "gtFine")
    with pytest.raises(DataError, match=r"val: holds no CITY/\*_leftImg8bit.png"):
        make_task("segmentation").open(tree, "val")


def test_other_classes_are_refused(tmp_path: Path) -> None:
    tree = cityscapes_tree(tmp_path)
    with pytest.raises(UsageError, match=r"is laid out as Cityscapes, which has 19 classes of its own \(road"):
        make_task("segmentation", TaskSettings(("road", "car"))).open(tree, "train")
    assert make_task("segmentation", TaskSettings(tuple(CLASSES))).open(tree, "train").classes == tuple(CLASSES)
