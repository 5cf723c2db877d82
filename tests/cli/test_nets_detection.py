"""``scaleflow nets`` for detection as a user runs it: real label maps, COCO files, resampled frames, wrong input."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from scaleflow.cli.interruption import StopRequest
from tests.cli.conftest import Result, typed
from tests.cli.test_training_commands import events
from tests.places import SHARED

DATA = SHARED / "data"
TINY = ("--preset", "tiny", "--threads", 1, "training.steps=4", "checkpoint_every=2", "network.width=4")
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def camvid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few of CamVid's frames in its own layout, 96x72."""
    if not (DATA / "camvid").is_dir():
        pytest.skip("needs ../shared/data/camvid")
    folder = tmp_path_factory.mktemp("camvid")
    for part, count, step in (("train", 4, 60), ("val", 3, 1)):
        for kind, how in (("images", Image.Resampling.BOX), ("labels", Image.Resampling.NEAREST)):
            (folder / part / kind).mkdir(parents=True)
            for path in sorted((DATA / "camvid" / part / kind).iterdir())[: count * step : step]:
                with Image.open(path) as picture:
                    picture.resize((96, 72), how).save(folder / part / kind / f"{path.stem}.png")
    return folder


@pytest.fixture(scope="module")
def trained(camvid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the preset ``tiny``."""
    out = tmp_path_factory.mktemp("runs") / "boxes"
    done = typed("nets", "train", "detection", *TINY, "--data", camvid, "--out", out)
    assert done.code == 0, done.stderr
    assert "map" in done.stdout
    return out


@pytest.fixture
def stops_after_two_steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if Ctrl-C came in the third step; undone for the next command by ``monkeypatch.undo``."""
    asked: list[None] = []
    monkeypatch.setattr(StopRequest, "is_set", lambda self: len(asked) > 2 or bool(asked.append(None)))
    yield
    monkeypatch.undo()


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    with safe_open(run / "network.safetensors", "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def test_resumed_it_is_the_run_that_was_not_stopped(
    scaleflow: Run,
    camvid: Path,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stops_after_two_steps: None,
) -> None:
    out = tmp_path / "run"
    stopped = scaleflow("nets", "train", "detection", *TINY, "--data", camvid, "--out", out)
    assert "continue with" in stopped.stderr and not (out / "network.safetensors").exists()
    monkeypatch.undo()
    assert scaleflow("nets", "train", "--resume", "--out", out, "--threads", 1).code == 0
    ours, theirs = weights_of(out), weights_of(trained)
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_full_reduced_and_resampled(scaleflow: Run, camvid: Path, trained: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    methods = ("--method", "salisa size=64x48 whole_every=0,2", "--method", "salisa size=64x48 boxes=labels")
    arguments = ("nets", "eval", trained, "--data", camvid / "val", "--out", results, "--size", "96x72,64x48")
    done = scaleflow(*arguments, *methods, "--json")
    assert done.code == 0, done.stderr
    points = {(point["method"], point["settings"], point["size"][0]): point for point in events(done.stdout)}
    full, small = points["dense", "", 96], points["dense", "", 64]
    ours, often = (points["salisa", f"size=64x48 whole_every={n}", 64] for n in (0, 2))
    assert small["macs"] < 0.6 * full["macs"]
    assert ours["dense_macs"] == small["macs"] and ours["macs"] > often["macs"] > small["macs"]
    assert {"map", "map_small", "map_50", "map car"} <= ours["measures"].keys()
    rows = [json.loads(path.read_text()) for path in (results / "points").iterdir()]
    labelled = next(row for row in rows if "labels" in row["identity"]["settings"])
    # the first frame is seen as the reduced one is, and all later ones are resampled
    assert labelled["frames"]["keys"] == [True, False, False]
    assert labelled["frames"]["macs"][0] == small["macs"] < labelled["frames"]["macs"][1]
    again = events(scaleflow(*arguments, *methods, "--json").stdout)
    assert all(point["resumed"] for point in again)
    table = scaleflow(*arguments, *methods).stdout
    assert "| map | map_50 | map_small |" in table
    assert scaleflow("nets", "plot", results, "-o", tmp_path / "boxes.svg").code == 0


def test_trained_with_the_resampler(scaleflow: Run, camvid: Path, trained: Path, tmp_path: Path) -> None:
    out, results = tmp_path / "run", tmp_path / "results"
    method = ("--method", "salisa size=64x48 points=6")
    start = ("nets", "train", "detection", *TINY, "--data", camvid, "--start", trained, "--out", out, *method, "--json")
    done = scaleflow(*start, "training.clip=2", "data.clips=moved", "training.steps=2", "log_every=1")
    assert done.code == 0, done.stderr
    first = events(done.stdout)[0]
    assert first["regularizer"] == 0 and first["loss"] == pytest.approx(first["task"])
    assert any(tensor.abs().sum() > 0 for name, tensor in weights_of(out).items() if "resampler.last" in name)
    evaluated = ("nets", "eval", out, "--data", camvid / "val", "--out", results)
    assert "--dense" in scaleflow(*evaluated).stderr
    assert scaleflow(*evaluated, "--dense", trained, "--json").code == 0


@pytest.fixture
def boxes(camvid: Path, tmp_path: Path) -> Path:
    """Three frames with a box around their cars, in COCO's form, as two videos."""
    folder = tmp_path / "boxes"
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for number, path in enumerate(sorted((camvid / "val" / "labels").iterdir())):
        with Image.open(camvid / "val" / "images" / path.name) as picture:
            picture.save(folder / "images" / path.name)
        with Image.open(path) as picture:
            lines, columns = np.nonzero(np.asarray(picture) == 8)
        videos = {"video_id": 1 + number // 2, "frame_id": 9 - number}
        images.append({"id": number, "file_name": path.name, "width": 96, "height": 72, **videos})
        left, top = int(columns.min()), int(lines.min())
        box = [left, top, int(columns.max()) - left + 1, int(lines.max()) - top + 1]
        annotations.append({"id": number, "image_id": number, "category_id": 3, "bbox": box, "iscrowd": 0})
    values = {"images": images, "annotations": annotations, "categories": [{"id": 3, "name": "car"}]}
    values["videos"] = [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}]
    (folder / "annotations.json").write_text(json.dumps(values))
    return folder


def test_videos_in_the_form_of_coco(scaleflow: Run, boxes: Path, tmp_path: Path) -> None:
    from scaleflow.efficient_nets.tasks.detection import Detection

    data = Detection().open(boxes, "train")
    assert data.classes == ("car",) and [frame.video for frame in data.frames] == ["one", "one", "two"]
    assert data.frames[0].name > data.frames[1].name  # by the numbers of the frames, not in the order of the file
    out, start = tmp_path / "run", ("nets", "train", "detection", *TINY, "training.steps=2")
    assert scaleflow(*start, "--data", boxes, "--out", out, "data.hold_out=[two]").code == 0
    stills = json.loads((boxes / "annotations.json").read_text())
    del stills["videos"]
    (boxes / "annotations.json").write_text(json.dumps(stills))
    alone = ("nets", "eval", out, "--data", boxes, "--out", tmp_path / "results")
    refused = scaleflow(*alone, "--method", "salisa size=64x48")
    assert refused.code == 2 and "holds single pictures" in refused.stderr


def spoiled(boxes: Path, **changes: Any) -> None:
    values = json.loads((boxes / "annotations.json").read_text())
    (boxes / "annotations.json").write_text(json.dumps(values | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"categories": [{"id": 4, "name": "car"}]}, "there is no category with the id 3"),
        ({"categories": []}, "has 0 categories"),
        ({"annotations": [{"id": 1, "image_id": 0, "category_id": 3, "bbox": [1, 2, 0, 4]}]}, "covers nothing"),
        ({"annotations": [{"id": 1, "image_id": 0, "category_id": 3, "bbox": [1, 2, 3]}]}, "a list of 4 numbers"),
        ({"annotations": [{"id": 1, "image_id": 0, "category_id": 3}]}, "has no 'bbox'"),
        ({"videos": [{"id": 1}]}, "there is no video with the id 2"),
        (
            {
                "images": [{"id": 0, "file_name": "x.png", "width": 9, "height": 9, "video_id": 1}],
                "annotations": [{"id": 1, "image_id": 0, "category_id": 3, "bbox": [1, 2, 3, 4]}],
            },
            "has no 'frame_id'",
        ),
    ],
)
def test_coco_files_that_cannot_be_used(
    scaleflow: Run, boxes: Path, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    spoiled(boxes, **changes)
    refused = scaleflow("nets", "train", "detection", *TINY, "--data", boxes, "--out", tmp_path / "run")
    assert (refused.code, words in refused.stderr, refused.stderr.count("\n")) == (1, True, 1), refused.stderr
    assert not (tmp_path / "run").exists()


def test_sizes_that_do_not_fit(scaleflow: Run, boxes: Path, tmp_path: Path) -> None:
    values = json.loads((boxes / "annotations.json").read_text())
    spoiled(boxes, images=[image | {"width": 97} for image in values["images"]])
    refused = scaleflow("nets", "train", "detection", *TINY, "--data", boxes, "--out", tmp_path / "run")
    assert refused.code == 1 and "has 96x72 samples, " in refused.stderr and "97x72" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--data", "{tmp}/none"), 2, "there is no such folder"),
        (("--data", "{tmp}"), 2, "neither annotations.json nor images and labels"),
        (("--data", "{camvid}", "task.objects=[car]"), 2, "is no name and number"),
        (("--data", "{camvid}", "task.objects=[tram=99]"), 1, "has no tram in"),
        (("--data", "{camvid}", "task.classes=[car]"), 2, "finds its classes in the data"),
        (("--data", "{camvid}", "--method", "salisa"), 2, "clips of two frames"),
        (("--data", "{camvid}", "--method", "salisa size=9"), 2, "WIDTHxHEIGHT is needed"),
        (("--data", "{camvid}", "--method", "salisa key_interval=2"), 2, "salisa has no setting 'key_interval'"),
    ],
)
def test_what_cannot_be_trained(
    scaleflow: Run, camvid: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    given = [argument.format(tmp=tmp_path, camvid=camvid) for argument in arguments]
    refused = scaleflow("nets", "train", "detection", *TINY, "--out", tmp_path / "run", *given)
    assert (refused.code, words in refused.stderr, refused.stderr.count("\n")) == (code, True, 1), refused.stderr
    assert not (tmp_path / "run").exists()


def test_colours_are_no_labels(scaleflow: Run, camvid: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    path = sorted((camvid / "val" / "images").iterdir())[0]
    for kind in ("images", "labels"):
        (folder / kind / path.name).write_bytes(path.read_bytes())
    start = ("nets", "train", "detection", *TINY, "--data", folder, "--out", tmp_path / "run")
    refused = scaleflow(*start)
    assert refused.code == 1 and "has the channels RGB: labels are grey" in refused.stderr
    (folder / "labels" / path.name).unlink()
    (folder / "labels" / "other.png").write_bytes((camvid / "val" / "labels" / path.name).read_bytes())
    refused = scaleflow(*start)
    assert refused.code == 1 and "has no label" in refused.stderr and refused.stderr.count("\n") == 1


def test_other_networks_do_not_resample(scaleflow: Run, camvid: Path, trained: Path, tmp_path: Path) -> None:
    start = ("nets", "train", "segmentation", *TINY, "--data", camvid, "--method", "salisa", "training.clip=2")
    assert "is trained with detection" in scaleflow(*start, "--out", tmp_path / "run").stderr
    unknown = scaleflow(
        "nets", "eval", trained, "--data", camvid, "--out", tmp_path / "results", "--method", "salisa siz=1"
    )
    assert unknown.code == 2 and "salisa has no setting 'siz'" in unknown.stderr
