"""``scaleflow nets`` for action recognition, and the data that it makes: from real frames, by seed, wrong input."""

from __future__ import annotations

import csv
import filecmp
import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from scaleflow.cli.interruption import StopRequest
from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.codec.video.reader import open_video
from scaleflow.codec.video.writer import open_output
from scaleflow.efficient_nets.data.generated.actions import ACTIONS, GRADES
from scaleflow.efficient_nets.frame_exit.network import FrameExit, FrameExitConfig
from scaleflow.efficient_nets.frame_exit.weights_file import read_action_network
from tests.cli.conftest import Result, typed
from tests.cli.test_training_commands import events
from tests.places import SHARED

DATA = SHARED / "data"
TINY = ("--preset", "tiny", "--threads", 1, "training.steps=4", "checkpoint_every=2", "network.width=4")
FRAMES = 4
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def backgrounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three short videos of real frames, 96x72."""
    if not (DATA / "camvid").is_dir():
        pytest.skip("needs ../shared/data/camvid")
    folder = tmp_path_factory.mktemp("backgrounds")
    for part in ("train", "val", "test"):
        properties = VideoProperties(
            96, 72, "yuv420p", 8, Fraction(25), Fraction(1, 25), color_matrix="bt709", working_format="rgb"
        )
        with open_output(folder / f"{part}.mp4", properties) as writer:
            for number, path in enumerate(sorted((DATA / "camvid" / part / "images").iterdir())[:6]):
                with Image.open(path) as picture:
                    samples = np.asarray(picture.convert("RGB").resize((96, 72)))
                writer.write(Picture(tuple(np.ascontiguousarray(samples[..., n]) for n in range(3)), number))
    return folder


@pytest.fixture(scope="module")
def actions(backgrounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips of each action to train on, one for validation."""
    out = tmp_path_factory.mktemp("made") / "actions"
    sizes = ("--clips", "3", "--validation", "1", "--frames", "8", "--size", "64x64")
    done = typed("nets", "make-actions", backgrounds, "--out", out, *sizes)
    assert done.code == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def trained(actions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the preset ``tiny``."""
    out = tmp_path_factory.mktemp("runs") / "action"
    done = typed("nets", "train", "action", *TINY, "--data", actions, "--out", out)
    assert done.code == 0, done.stderr
    return out


def test_actions_are_made_by_grade(actions: Path) -> None:
    with (actions / "train" / "clips.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["action"] for row in rows] == [action for action in ACTIONS for _ in GRADES]
    assert [row["grade"] for row in rows[:3]] == list(GRADES)
    with (actions / "val" / "clips.csv").open() as file:
        assert {row["background"] for row in csv.DictReader(file)} == {"val.mp4"}
    assert "val.mp4" not in {row["background"] for row in rows}
    assert sorted(path.name for path in (actions / "val").iterdir()) == [*ACTIONS[:1], "clips.csv", *ACTIONS[1:]]


def middles_of(path: Path, tint: int) -> list[float]:
    """Where the object of a tint (0 red, 2 blue) is across the picture, in each frame."""
    found = []
    with open_video(path, working_format="rgb") as reader:
        for picture in reader:
            planes = np.stack(picture.planes).astype(float)
            strength = np.clip(planes[tint] - planes[1], 60, None) - 60
            found.append(float((strength.sum(0) @ np.arange(64)) / max(1.0, strength.sum())))
    return found


def test_objects_go_where_the_action_says(actions: Path) -> None:
    # of the grade look, the tint is that of the action: red for the first four, then blue
    left = middles_of(actions / "train" / "left" / "0000-look.mp4", 0)
    right = middles_of(actions / "train" / "right" / "0000-look.mp4", 0)
    assert left[0] > left[3] + 5 > left[-1] + 10 and right[0] + 10 < right[3] + 5 < right[-1]


def same_files(first: Path, second: Path) -> bool:
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    return all(filecmp.cmp(first / name, second / name, shallow=False) for name in names)


def test_the_same_seed_makes_the_same_data(scaleflow: Run, backgrounds: Path, tmp_path: Path) -> None:
    sizes = {
        "make-actions": ("--clips", 1, "--validation", 1, "--frames", 8, "--size", "64x64"),
        "make-small-objects": ("--videos", 1, "--validation", 1, "--frames", 2, "--size", "96x64", "--most", 20),
    }
    for command, options in sizes.items():
        made = [tmp_path / f"{command}-{name}" for name in ("one", "two", "other")]
        for out, seed in zip(made, (3, 3, 4), strict=True):
            done = scaleflow("nets", command, backgrounds, "--out", out, *options, "--seed", seed)
            assert done.code == 0, done.stderr
        assert same_files(made[0], made[1])
        assert not same_files(made[0], made[2])


def test_small_objects_are_where_their_boxes_are(scaleflow: Run, backgrounds: Path, tmp_path: Path) -> None:
    from scaleflow.efficient_nets.data.box_rows import known
    from scaleflow.efficient_nets.tasks.detection import Detection

    out = tmp_path / "objects"
    options = ("--videos", 2, "--validation", 1, "--frames", 3, "--size", "160x120", "--least", 12, "--most", 40)
    assert scaleflow("nets", "make-small-objects", backgrounds, "--out", out, *options).code == 0
    data = Detection().open(out, "train")
    assert data.classes == ("disc", "square", "triangle", "cross", "ring") and len(data.frames) == 6
    assert [len(frames) for frames in data.videos().values()] == [3, 3]
    for frame in data.frames:
        rows = known(frame.target())
        sides = rows[:, 2:4] - rows[:, :2]
        assert 1 <= len(rows) <= 8 and float(sides.max()) <= 1.5 * 1.15 * 40
        assert (rows[:, :2] >= 0).all() and (rows[:, 2] <= 160).all() and (rows[:, 3] <= 120).all()
    # an object changes the pictures where its box is, and nothing elsewhere
    first, second = (np.asarray(Image.open(frame.picture)).astype(float) for frame in data.frames[:2])
    changed = np.abs(first - second).mean(2)
    assert changed.max() > 20
    values = json.loads((out / "train" / "annotations.json").read_text())
    assert {item["frame_id"] for item in values["images"]} == {0, 1, 2} and len(values["videos"]) == 2


def test_places_tell_which_frame_came_first() -> None:
    class MeanColor(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((2, 3))

    torch.manual_seed(0)
    video = torch.rand(1, 4, 3, 4, 4)
    for placed in (False, True):
        network = FrameExit(MeanColor(), 3, FrameExitConfig(2, frames=4, features=16, gate=4, placed=placed)).eval()
        if network.places is not None:
            torch.nn.init.normal_(network.places)
        with torch.no_grad():
            forwards, backwards = (network(clip).logits[0, -1] for clip in (video, video.flip(1)))
        assert torch.allclose(forwards, backwards, atol=1e-5) != placed


def test_resumed_it_is_the_run_that_was_not_stopped(
    scaleflow: Run, actions: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, asked = tmp_path / "run", list[None]()
    monkeypatch.setattr(StopRequest, "is_set", lambda self: len(asked) > 2 or bool(asked.append(None)))
    stopped = scaleflow("nets", "train", "action", *TINY, "--data", actions, "--out", out)
    assert "continue with" in stopped.stderr and not (out / "network.safetensors").exists()
    monkeypatch.undo()
    done = scaleflow("nets", "train", "--resume", "--out", out, "--threads", 1, "--json")
    assert done.code == 0, done.stderr
    assert {"accuracy", "frames at exits"} <= events(done.stdout)[-1]["measures"].keys()  # type: ignore[attr-defined]
    weights = []
    for run in (out, trained):
        with safe_open(run / "network.safetensors", "pt") as file:
            weights.append({name: file.get_tensor(name) for name in file.keys()})
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert "4 frames of each of 24 videos" in (out / "model-card.md").read_text()


def test_exits_are_measured_beside_fixed_numbers(scaleflow: Run, actions: Path, trained: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    arguments = ("nets", "eval", trained, "--data", actions, "--out", results)
    method = ("--method", "frame-exit strictness=0.1,0.01 threshold=0,1")
    done = scaleflow(*arguments, *method, "--json")
    assert done.code == 0, done.stderr
    points = {(point["method"], point["settings"]): point for point in events(done.stdout)}
    assert len(points) == 2 * FRAMES + 2 * 4
    first = [points["first frames", f"frames={count}"] for count in range(1, FRAMES + 1)]
    at_once, never = (points["frame-exit", f"strictness=0.1 threshold={value}"] for value in (0, 1))
    assert at_once["measures"]["frames"] == 1 and never["measures"]["frames"] == FRAMES
    assert at_once["measures"]["accuracy"] == first[0]["measures"]["accuracy"]
    assert never["measures"]["accuracy"] == first[-1]["measures"]["accuracy"]
    # the gates cost something themselves
    assert first[0]["macs"] < at_once["macs"] < first[1]["macs"] and first[-1]["macs"] < never["macs"]
    assert first[1]["macs"] - first[0]["macs"] == first[2]["macs"] - first[1]["macs"]
    chance = points["exits by chance", "as strictness=0.1 threshold=0"]
    assert chance["measures"]["accuracy"] == pytest.approx(at_once["measures"]["accuracy"])
    assert chance["macs"] == first[0]["macs"]
    # of one clip of each action, all are of the first grade
    assert {"accuracy look", "frames look"} <= never["measures"].keys()
    assert "look: accuracy, frames" in scaleflow(*arguments).stdout
    assert scaleflow("nets", "plot", results, "-o", tmp_path / "actions.svg").code == 0


def test_an_exit_is_where_the_network_itself_stops(
    scaleflow: Run, actions: Path, trained: Path, tmp_path: Path
) -> None:
    from scaleflow.efficient_nets.data.action_clips import open_action_data, read_clip

    method = ("--method", "frame-exit strictness=0.3 threshold=0.45")
    arguments = ("nets", "eval", trained, "--data", actions, "--out", tmp_path / "results", "--only", "up/*")
    points = events(scaleflow(*arguments, *method, "--json").stdout)
    ours = next(point for point in points if point["method"] == "frame-exit")
    action = read_action_network(trained / "network.safetensors")
    clip = open_action_data(actions, "val").chosen(["up/*"]).clips[0]
    found = action.gated.network.classify(read_clip(clip.path, FRAMES, action.size).float() / 255, 0.45)
    assert ours["measures"]["frames"] == found.frames
    assert ours["measures"]["accuracy"] == 100 * (int(found.logits.argmax()) == clip.label)


def test_a_backbone_starts_another_task(scaleflow: Run, actions: Path, trained: Path, tmp_path: Path) -> None:
    start = ("nets", "train", "action", *TINY, "--data", actions, "training.steps=1")
    assert scaleflow(*start, "--start", trained, "--out", tmp_path / "all").code == 0
    refused = scaleflow(*start, "--start", trained, "network.width=8", "--out", tmp_path / "other")
    assert refused.code == 1 and "does not fit the network" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--data", "{tmp}/none"), 2, "there is no such folder"),
        (("--data", "{tmp}/empty"), 2, "has no folders: one for each class"),
        (("--data", "{tmp}/single"), 1, "has one class alone, wave"),
        (("--data", "{tmp}/bare"), 1, "bare/down: holds no videos"),
        (("--data", "{tmp}/text"), 1, "text/wave/a.mp4"),
        (("--data", "{actions}", "action.frames=9"), 1, "a video of 8 frames is shorter than the 9"),
        (("--data", "{actions}", "action.strictness=[]"), 2, "action.strictness is empty"),
        (("--data", "{actions}", "action.strictness=[0]"), 2, "must be above 0"),
        (("--data", "{actions}", "--method", "skip-conv", "training.clip=2"), 2, "has its own, FrameExit"),
        (("--data", "{actions}", "data.hold_out=['jump/*']"), 2, "names no clip"),
    ],
)
def test_what_cannot_be_trained(
    scaleflow: Run, actions: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    clip = actions / "train" / "up" / "0000-look.mp4"
    for name in ("empty", "single/wave", "bare/wave", "bare/down", "text/wave", "text/up"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("single/wave", "bare/wave", "text/up"):
        shutil.copy(clip, tmp_path / name / "a.mp4")
    (tmp_path / "text" / "wave" / "a.mp4").write_text("no video")
    given = [argument.format(tmp=tmp_path, actions=actions) for argument in arguments]
    # every clip is read in so many steps
    refused = scaleflow("nets", "train", "action", *TINY, "data.size=[64,64]", "--out", tmp_path / "run", *given)
    assert (refused.code, words in refused.stderr, refused.stderr.count("\n")) == (code, True, 1), refused.stderr
    assert not (tmp_path / "run" / "network.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--method", "skip-conv"), "has frame-exit alone"),
        (("--method", "frame-exit strictness=7"), "has gates for 0.3, 0.1"),
        (("--method", "frame-exit beta=7"), "has no setting 'beta'"),
        (("--method", "frame-exit threshold=2"), "outside 0..1"),
        (("--size", "32x32"), "measured without it"),
        (("--only", "jump/*"), "names no clip"),
    ],
)
def test_what_cannot_be_measured(
    scaleflow: Run, actions: Path, trained: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    refused = scaleflow("nets", "eval", trained, "--data", actions, "--out", tmp_path / "results", *arguments)
    assert (refused.code, words in refused.stderr, refused.stderr.count("\n")) == (2, True, 1), refused.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("make-actions", "{tmp}/none"), "there is no such video or folder"),
        (("make-actions", "{tmp}"), "two videos or more are needed"),
        (("make-actions", "{backgrounds}", "--size", "63x64"), "even sides of 64 and more"),
        (("make-small-objects", "{backgrounds}", "--most", "500"), "two rising numbers from 4 to half"),
        (("make-small-objects", "{backgrounds}", "--out", "{backgrounds}"), "not empty"),
    ],
)
def test_what_cannot_be_made(
    scaleflow: Run, backgrounds: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    given = [argument.format(tmp=tmp_path, backgrounds=backgrounds) for argument in arguments]
    refused = scaleflow("nets", given[0], given[1], "--out", tmp_path / "made", *given[2:])
    assert (refused.code, words in refused.stderr, refused.stderr.count("\n")) == (2, True, 1), refused.stderr
    assert not any(tmp_path.iterdir())
