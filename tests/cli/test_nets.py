"""``scaleflow nets`` as a user runs it: trained, stopped and resumed, measured and drawn, on real labelled frames."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from tests.adversarial.changed_decoder import write_changed_decoder
from tests.cli.conftest import Result, typed
from tests.cli.test_training_commands import command, events
from tests.places import REPOSITORY, SHARED

DATA = SHARED / "data"
TRAINED_FRAMES, VIDEO_FRAMES = 12, 5
Run = Callable[..., Result]


@pytest.fixture(scope="session")
def camvid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few of CamVid's frames in its own layout, 96x72."""
    if not (DATA / "camvid").is_dir():
        pytest.skip("needs ../shared/data/camvid")
    folder = tmp_path_factory.mktemp("camvid")
    for part, count, step in (("train", TRAINED_FRAMES, 30), ("val", VIDEO_FRAMES, 1)):
        for kind, how in (("images", Image.Resampling.BOX), ("labels", Image.Resampling.NEAREST)):
            (folder / part / kind).mkdir(parents=True)
            for path in sorted((DATA / "camvid" / part / kind).iterdir())[: count * step : step]:
                with Image.open(path) as picture:
                    picture.resize((96, 72), how).save(folder / part / kind / f"{path.stem}.png")
    return folder


@pytest.fixture(scope="session")
def trained(camvid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the preset ``tiny``."""
    out = tmp_path_factory.mktemp("runs") / "seg"
    arguments = ["segmentation", "--preset", "tiny", "--data", camvid, "--out", out, "--threads", 1]
    done = typed("nets", "train", *arguments)
    assert done.code == 0, done.stderr
    return out


def weights_of(run_folder: Path) -> dict[str, torch.Tensor]:
    with safe_open(run_folder / "network.safetensors", "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def points_in(folder: Path) -> list[dict[str, Any]]:
    with (folder / "points.csv").open() as file:
        return list(csv.DictReader(file))


def test_stopped_and_resumed_it_is_the_run_that_was_not(
    scaleflow: Run, camvid: Path, trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "seg"
    start = ("nets", "train", "segmentation", "--preset", "tiny", "--data", camvid, "--out", out, "--json")
    arguments = command(*start, "--threads", 1, "log_every=1")
    with subprocess.Popen(arguments, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["step"] == 1
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(60) == 130
    assert not (out / "network.safetensors").exists()
    reports = events(scaleflow("nets", "train", "--resume", "--out", out, "--json", "--threads", 1).stdout)
    assert reports[-1]["event"] == "validation" and reports[-1]["step"] == 8
    ours, theirs = weights_of(out), weights_of(trained)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert "12 labelled pictures" in (out / "model-card.md").read_text()


def test_measured_resumed_and_drawn(scaleflow: Run, camvid: Path, trained: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    arguments = ("nets", "eval", trained, "--data", camvid / "val", "--out", results, "--json")
    methods = ("--method", "skip-conv block=2", "--threshold", "0,1000", "--size", "96x64,48x32")
    first = scaleflow(*arguments, *methods)
    assert first.code == 0, first.stderr
    found = {(point["method"], point["settings"], point["size"][0]): point for point in events(first.stdout)}
    dense, exact = found["dense", "", 96], found["skip-conv", "threshold=0 block=2", 96]
    kept, small = found["skip-conv", "threshold=1000 block=2", 96], found["dense", "", 48]
    assert exact["measures"] == pytest.approx(dense["measures"])
    assert exact["agreement"]["miou"] == pytest.approx(100)
    assert dense["macs"] == dense["dense_macs"] == exact["dense_macs"]
    # where no gate opens, the first of five frames is all there is to do, beside the gates
    assert 1 / VIDEO_FRAMES < kept["macs"] / dense["macs"] < 0.35
    assert small["macs"] < 0.4 * dense["macs"]
    assert kept["agreement"]["miou"] < 100

    again = events(scaleflow(*arguments, *methods, "--method", "residual-quantization bits=8,[0,4,8]").stdout)
    assert [point["resumed"] for point in again] == [True] * 4 + [False] * 2
    eight, dynamic = again[-2:]
    assert eight["agreement"]["accuracy"] > 95 and dynamic["bops"] < eight["bops"] < dense["bops"] / 8
    rows = points_in(results)
    assert len(rows) == 6 and {row["frames"] for row in rows} == {str(VIDEO_FRAMES)}
    with (results / "frames.csv").open() as file:
        assert sum(int(row["macs"]) for row in csv.DictReader(file) if row["settings"] == kept["settings"]) == round(
            kept["macs"] * VIDEO_FRAMES
        )
    figure = tmp_path / "nets.svg"
    assert scaleflow("nets", "plot", results, "-o", figure, "--cost", "bops").code == 0
    assert "skip-conv" in figure.read_text() and "Mean IoU" in figure.read_text()


@pytest.mark.parametrize(
    ("method", "saved"),
    [
        ("skip-conv gate=learned block=2", 0.0),
        ("delta-distillation gamma=2", 0.05),
        ("residual-quantization bits=4 key_interval=3", 0.0),
    ],
)
def test_trained_for_a_method(
    scaleflow: Run, camvid: Path, trained: Path, tmp_path: Path, method: str, saved: float
) -> None:
    out, results = tmp_path / "fast", tmp_path / "results"
    changes = ("training.clip=3", "data.clips=moved", "training.steps=2")
    start = ("--preset", "tiny", "--data", camvid, "--start", trained, "--method", method, "--out", out)
    done = scaleflow("nets", "train", "segmentation", *start, "--threads", 1, *changes)
    assert done.code == 0, done.stderr
    alone = scaleflow("nets", "eval", out, "--data", camvid / "val", "--out", results)
    assert alone.code == 2 and "--dense" in alone.stderr
    assert scaleflow("nets", "eval", out, "--dense", trained, "--data", camvid / "val", "--out", results).code == 0
    ours = next(row for row in points_in(results) if row["method"] == method.split()[0])
    assert float(ours["macs"]) < (1 - saved) * float(ours["dense_macs"]) or saved == 0
    assert float(ours["agreement accuracy"]) > 20


def test_pictures_from_a_coded_video(scaleflow: Run, camvid: Path, trained: Path, tmp_path: Path) -> None:
    coded = tmp_path / "coded.sfv"
    assert scaleflow("encode", camvid / "val" / "images", coded).code == 0
    arguments = ("nets", "eval", trained, "--data", camvid / "val", "--out", tmp_path / "results", "--json")
    plain = events(scaleflow(*arguments).stdout)[0]
    decoded = events(scaleflow(*arguments, "--pictures", coded).stdout)[0]
    assert not decoded["resumed"] and decoded["measures"] != plain["measures"]
    wrong = scaleflow(*arguments[:4], camvid / "train", *arguments[5:], "--pictures", coded)
    assert wrong.code == 1 and "has 5 pictures, the labels are of 12" in wrong.stderr
    unused = scaleflow(*arguments, "--model", "default")
    assert unused.code == 2 and "are of .sfv files: give one as --pictures" in unused.stderr
    payload = bytearray(coded.read_bytes())
    payload[len(payload) // 2] ^= 1
    coded.write_bytes(payload)
    damaged = scaleflow(*arguments, "--pictures", coded)
    assert damaged.code == 1 and damaged.stderr.startswith(f"scaleflow: {coded}: damage at byte")
    assert "whole files only" in damaged.stderr and damaged.stderr.count("\n") == 1


def test_pictures_as_a_perceptual_decoder_shows_them(camvid: Path, trained: Path, tmp_path: Path) -> None:
    coded, weights = tmp_path / "coded.sfv", write_changed_decoder(tmp_path / "tiny.safetensors")
    assert typed("encode", camvid / "val" / "images", coded, "--quality", 10).code == 0
    arguments = ("nets", "eval", trained, "--data", camvid / "val", "--out", tmp_path / "results", "--json")
    arguments += ("--pictures", coded)
    plain = events(typed(*arguments).stdout)[0]
    shown = events(typed(*arguments, "--decoder", "perceptual", "--decoder-weights", weights).stdout)[0]
    assert not shown["resumed"] and shown["measures"] != plain["measures"]
    assert events(typed(*arguments).stdout)[0]["resumed"]
    gates = typed(*arguments, "--decoder", "perceptual", "--decoder-weights", weights, "--method", "codec-gates")
    assert gates.code == 2 and "does not say what changed; the default model does, for fidelity" in gates.stderr


def test_gates_open_where_the_codec_says(camvid: Path, trained: Path, tmp_path: Path) -> None:
    """Thresholds of 0 see everything; such that nothing exceeds leave the picture before, but at key pictures. With the
    shipped codec, which alone says what changed."""
    coded, results = tmp_path / "coded.sfv", tmp_path / "results"
    encode = ("encode", camvid / "val" / "images", coded, "--quality", 40, "--intra-period", 3, "--no-scene-cut")
    assert typed(*encode).code == 0
    arguments = ("nets", "eval", trained, "--data", camvid / "val", "--out", results, "--pictures", coded)
    everywhere = "codec-gates prediction=0 residual=0 execution=compiled"
    nowhere = "codec-gates prediction=1000 residual=1000"
    done = typed(*arguments, "--method", everywhere, "--method", nowhere, "--json")
    assert done.code == 0, done.stderr
    dense, whole, kept = events(done.stdout)
    assert whole["measures"] == dense["measures"] and whole["macs"] == whole["dense_macs"]
    assert whole["agreement"]["accuracy"] == 100
    assert kept["macs"] == pytest.approx(kept["dense_macs"] * 2 / VIDEO_FRAMES, rel=0.01)  # pictures 0 and 3
    frames = list(csv.DictReader((results / "frames.csv").open()))
    assert [row["key"] for row in frames if "1000" in row["settings"]] == ["True", "False", "False", "True", "False"]

    arguments = ("nets", "eval", trained, "--data", camvid / "val", "--out", tmp_path / "none")
    pictures = typed(*arguments, "--method", "codec-gates")
    assert pictures.code == 2 and "--pictures" in pictures.stderr
    training = (
        "--data",
        camvid,
        "--start",
        trained,
        "--method",
        "codec-gates",
        "--out",
        tmp_path / "run",
        "--preset",
        "tiny",
    )
    refused = typed("nets", "train", "segmentation", *training, "training.clip=2")
    assert refused.code == 2 and "nothing to train" in refused.stderr


def test_keypoints_learn_and_run_on_a_video_without_labels(scaleflow: Run, tmp_path: Path) -> None:
    mice = DATA / "pose" / "mirror_mouse"
    if not mice.is_dir():
        pytest.skip("needs ../shared/data/pose")
    out, results = tmp_path / "mouse", tmp_path / "results"
    arguments = (
        "--preset",
        "tiny",
        "--data",
        mice,
        "--out",
        out,
        "--json",
        "--threads",
        1,
        "data.hold_out=[img0*.png]",
    )
    reports = events(scaleflow("nets", "train", "keypoints", *arguments, "training.steps=30").stdout)
    losses = [float(report["loss"]) for report in reports if report["event"] == "progress"]
    assert losses[-1] < losses[0]
    assert reports[-1]["measures"].keys() == {"pck", "distance"}  # type: ignore[union-attr]
    video = mice / "videos" / "test_vid.mp4"
    done = scaleflow("nets", "eval", out, "--data", video, "--frames", 3, "--method", "skip-conv", "--out", results)
    assert done.code == 0, done.stderr
    assert {row["agreement pck"] for row in points_in(results)} == {"100.0"}


def test_foreground_of_videos_that_were_held_out(scaleflow: Run, davis: Path, tmp_path: Path) -> None:
    arguments = ("--preset", "tiny", "--data", davis, "--out", tmp_path / "run", "--json", "data.hold_out=[libby]")
    reports = events(scaleflow("nets", "train", "foreground", *arguments, "training.steps=2").stdout)
    assert reports[-1]["measures"].keys() == {"j", "f", "j libby"}  # type: ignore[union-attr]


@pytest.fixture
def boxes(camvid: Path, tmp_path: Path) -> Path:
    """CamVid's first frames with a box around their cars, in COCO's form."""
    folder = tmp_path / "boxes"
    shutil.copytree(camvid / "train" / "images", folder / "images")
    images, annotations = [], []
    for number, path in enumerate(sorted((camvid / "train" / "labels").iterdir())):
        with Image.open(path) as picture:
            lines, columns = np.nonzero(np.asarray(picture) == 8)
        images.append({"id": number, "file_name": path.name, "width": 96, "height": 72})
        if len(lines):
            left, top = int(columns.min()), int(lines.min())
            box = [left, top, int(columns.max()) - left + 1, int(lines.max()) - top + 1]
            annotations.append({"id": number, "image_id": number, "category_id": 3, "bbox": box})
    assert annotations
    categories = [{"id": 3, "name": "car"}]
    text = json.dumps({"images": images, "annotations": annotations, "categories": categories})
    (folder / "annotations.json").write_text(text)
    return folder


def test_boxes_in_the_form_of_coco(scaleflow: Run, boxes: Path, tmp_path: Path) -> None:
    start = ("nets", "train", "instances", "--preset", "tiny", "training.steps=2", "--threads", 1)
    done = scaleflow(*start, "--data", boxes, "--out", tmp_path / "run", "data.hold_out=['*690.png']", "--json")
    assert done.code == 0, done.stderr
    assert "iou car" in events(done.stdout)[-1]["measures"]  # type: ignore[operator]
    values = json.loads((boxes / "annotations.json").read_text())
    for change, words in (
        ({"annotations": [{**values["annotations"][0], "category_id": 9}]}, "no category with the id 9"),
        ({"annotations": [{**values["annotations"][0], "bbox": [1, 2, 0, 4]}]}, "covers nothing"),
        ({"images": [{**values["images"][0], "file_name": "gone.png"}], "annotations": []}, "no images with annot"),
        ({"categories": None}, "expected a list"),
    ):
        (boxes / "annotations.json").write_text(json.dumps(values | change))
        refused = scaleflow(*start, "--data", boxes, "--out", tmp_path / "other")
        assert refused.code == 1 and words in refused.stderr
        assert refused.stderr.count("\n") == 1 and not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("segmentation",), 2, "--data is empty"),
        (("segmentation", "--data", "{tmp}/none"), 2, "there is no such folder"),
        (("segmentation", "--data", "{tmp}"), 2, "has no folders images and labels"),
        (("segmentation", "--data", "{camvid}", "task.classes=[sky,road]"), 1, "is no class: there are 0 to 1"),
        (("segmentation", "--data", "{camvid}", "training.stepz=3"), 2, "did you mean steps"),
        (("segmentation", "--data", "{camvid}", "data.size=[16,16]"), 2, "32 and more"),
        (("segmentation", "--data", "{camvid}", "--network", "vgg"), 2, "network.name"),
        (("segmentation", "--data", "{camvid}", "--start", "imagenet"), 2, "only efficientnet-lite0"),
        (("segmentation", "--data", "{camvid}", "--method", "skip-conv gat=learned"), 2, "no setting 'gat'"),
        (("segmentation", "--data", "{camvid}", "--method", "skip-conv"), 2, "clips of two frames"),
        (("foreground", "--data", "{camvid}"), 2, "JPEGImages/480p"),
        (("keypoints", "--data", "{camvid}"), 2, "CollectedData.csv"),
        (("instances", "--data", "{camvid}"), 2, "name the .json file"),
        (("poses", "--data", "{camvid}"), 2, "task.name"),
        (("--data", "{camvid}"), 2, "name the task"),
    ],
)
def test_what_cannot_be_trained(
    scaleflow: Run, camvid: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    given = [argument.format(tmp=tmp_path, camvid=camvid) for argument in arguments]
    refused = scaleflow("nets", "train", "--preset", "tiny", "--out", tmp_path / "run", *given)
    assert (refused.code, words in refused.stderr, refused.stderr.count("\n")) == (code, True, 1), refused.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("{tmp}", "--data", "{camvid}"), 2, "there is no such weights file"),
        (("{run}", "--data", "{tmp}/none"), 2, "there is no such folder"),
        (("{run}", "--data", "{camvid}", "--method", "skip"), 2, "method 'skip' is unknown"),
        (("{run}", "--data", "{camvid}", "--method", "skip-conv threshold"), 2, "expected setting=value"),
        (("{run}", "--data", "{camvid}", "--method", "skip-conv threshold=-1"), 2, "must be 0 or more"),
        (("{run}", "--data", "{camvid}", "--threshold", "0.1"), 2, "none of the methods has it"),
        (("{run}", "--data", "{camvid}", "--size", "8x8"), 2, "32 and more"),
        (("{run}", "--data", "{camvid}", "--only", "tokyo"), 2, "names no video"),
        (("{run}/model-card.md", "--data", "{camvid}"), 1, "no safetensors file"),
    ],
)
def test_what_cannot_be_measured(
    scaleflow: Run, camvid: Path, trained: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    given = [argument.format(tmp=tmp_path, camvid=camvid, run=trained) for argument in arguments]
    refused = scaleflow("nets", "eval", *given, "--out", tmp_path / "results")
    assert (refused.code, words in refused.stderr, refused.stderr.count("\n")) == (code, True, 1), refused.stderr
    assert not (tmp_path / "results").exists()
