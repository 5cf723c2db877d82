"""``scaleflow nets`` on data in the layout of Cityscapes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cityscapes_tree import cityscapes_tree
from tests.cli.conftest import Result
from tests.cli.test_nets import points_in
from tests.cli.test_training_commands import events

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def cityscapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small tree."""
    return cityscapes_tree(tmp_path_factory.mktemp("cityscapes"))


def test_trained_validated_and_measured(scaleflow: Run, cityscapes: Path, tmp_path: Path) -> None:
    out, results = tmp_path / "run", tmp_path / "results"
    start = ("nets", "train", "segmentation", "--data", cityscapes, "--preset", "tiny", "--threads", 1, "--json")
    done = scaleflow(*start, "--out", out, "training.steps=30", "training.learning_rate=1e-2")
    assert done.code == 0, done.stderr
    reports = events(done.stdout)
    losses = [float(report["loss"]) for report in reports if report["event"] == "progress"]
    assert losses[-1] < losses[0]
    assert {"iou sky", "iou road", "miou"} <= reports[-1]["measures"].keys()  # type: ignore[union-attr]
    card = (out / "model-card.md").read_text()
    assert "6 labelled pictures (stills)" in card and "motorcycle, bicycle" in card
    done = scaleflow("nets", "eval", out, "--data", cityscapes, "--out", results)
    assert done.code == 0, done.stderr
    (row,) = points_in(results)
    assert row["frames"] == "2" and float(row["accuracy"]) > 20


@pytest.mark.parametrize(
    ("missing", "code", "words"),
    [
        ("gtFine", 2, "has no gtFine/train: expected gtFine/train/CITY/*_gtFine_labelIds.png, as Cityscapes' gtFine"),
        ("leftImg8bit/train", 2, "has no leftImg8bit/train: expected leftImg8bit/train/CITY/*_leftImg8bit.png"),
        ("gtFine/val", 2, "has no gtFine/val: expected gtFine/val/CITY/*_gtFine_labelIds.png"),
        ("gtFine/train/ulm", 1, "ulm_000000_000019_leftImg8bit.png: has no labels:"),
    ],
)
def test_a_tree_that_is_not_whole(
    scaleflow: Run, cityscapes: Path, tmp_path: Path, missing: str, code: int, words: str
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(cityscapes, tree)
    shutil.rmtree(tree / missing)
    refused = scaleflow("nets", "train", "segmentation", "--preset", "tiny", "--data", tree, "--out", tmp_path / "run")
    assert (refused.code, words in refused.stderr, refused.stderr.count("\n")) == (code, True, 1), refused.stderr
    assert not (tmp_path / "run").exists()


def test_labels_that_are_no_label_ids(scaleflow: Run, cityscapes: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(cityscapes, tree)
    start = ("nets", "train", "segmentation", "--preset", "tiny", "--data", tree, "--out", tmp_path / "run")
    labels = sorted((tree / "gtFine" / "train").rglob("*_labelIds.png"))
    for mode, value, words in (
        ("L", 99, "99 at column 0, line 0 is no label id of Cityscapes: there are 0 to 33"),
        ("RGB", (7, 7, 7), "has the channels RGB: labels are grey or indexed pictures"),
        ("L", 4, "its labels are void everywhere"),
    ):
        for path in labels:
            Image.new(mode, (96, 64), value).save(path)
        refused = scaleflow(*start)
        assert refused.code == 1 and words in refused.stderr and refused.stderr.count("\n") == 1, refused.stderr
    other = scaleflow(*start, "task.classes=[road,car]")
    assert other.code == 2 and "is laid out as Cityscapes, which has 19 classes of its own" in other.stderr
    assert not (tmp_path / "run").exists()
    assert np.asarray(Image.open(labels[0])).max() == 4
