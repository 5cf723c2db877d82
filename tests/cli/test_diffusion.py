"""``scaleflow diffusion`` as a user runs it: trained, stopped and resumed, distilled, and a real clip restored."""

from __future__ import annotations

import csv
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from scaleflow.cli import diffusion_train
from scaleflow.codec.models import registry
from scaleflow.codec.video.reader import open_video
from tests.cli.conftest import Result, typed
from tests.cli.test_training_commands import events
from tests.codec.stand_in import StandInModel
from tests.evaluation.conftest import lpips_backbone

__all__ = ["lpips_backbone"]

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory, carphone: Path) -> Path:
    """A folder that holds one small real clip of 88x72."""
    folder = tmp_path_factory.mktemp("videos")
    (folder / "carphone.y4m").symlink_to(carphone)
    return folder


@pytest.fixture(scope="session")
def trained(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the preset ``tiny``, and its adaptor for four steps."""
    out = tmp_path_factory.mktemp("runs") / "run"
    adaptor = ("adaptor.width=8", "adaptor.blocks=1", "sampling.steps=4")
    adaptor += ("training.steps=3", "training.batch=2", "training.learning_rate=0.05", "training.warm_up=0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "load_model", lambda *arguments, **options: StandInModel())
        for arguments in (("train", videos, "--preset", "tiny", "--out", out), ("distill", out, *adaptor)):
            done = typed("diffusion", *arguments)
            assert done.code == 0, done.stderr
    return out


def tensors_of(path: Path) -> dict[str, torch.Tensor]:
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def test_stopped_and_resumed_it_is_the_run_that_was_not(
    scaleflow: Run, videos: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    monkeypatch.setattr(diffusion_train, "print_step", lambda progress: signal.raise_signal(signal.SIGINT))
    stopped = scaleflow("diffusion", "train", videos, "--preset", "tiny", "--out", out, "log_every=3")
    assert stopped.code == 130 and f"scaleflow diffusion train --resume --out {out}" in stopped.stderr
    assert not (out / "diffusion.safetensors").exists()
    pairs = (out / "pairs.safetensors").stat().st_mtime_ns
    again = scaleflow("diffusion", "train", videos, "--preset", "tiny", "--out", out)
    assert again.code == 2 and "continue it with --resume" in again.stderr
    reports = events(scaleflow("diffusion", "train", "--resume", "--out", out, "--json").stdout)
    assert [report["step"] for report in reports] == [6, 8, 8]
    assert reports[-1]["event"] == "validation"
    ours, theirs = (tensors_of(folder / "diffusion.safetensors") for folder in (out, trained))
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert (out / "pairs.safetensors").stat().st_mtime_ns == pairs
    assert "8 pairs of 64x64, coded at qualities 0 to 12" in (out / "model-card.md").read_text()


def test_pairs_are_what_the_codec_makes(trained: Path) -> None:
    pairs = tensors_of(trained / "pairs.safetensors")
    original, decoded = pairs["original"].float(), pairs["decoded"].float()
    assert original.shape == decoded.shape == (8, 3, 64, 64)
    error = (original - decoded).square().mean((1, 2, 3)).sqrt()
    assert (error > 1).all() and (error < 60).all()
    deviation = tensors_of(trained / "diffusion.safetensors")["deviation"]
    # of what was trained on: the last clip of two frames is held out
    assert float(deviation) == pytest.approx(float(error[:6].square().mean().sqrt()) / 255, rel=1e-3)


def test_a_real_clip_is_restored(
    scaleflow: Run, carphone: Path, trained: Path, with_audio: Path, tmp_path: Path
) -> None:
    coded = tmp_path / "coded.sfv"
    assert scaleflow("encode", carphone, coded, "--quality", 4, "--frames", 3).code == 0
    outputs = {}
    for name, arguments in (
        ("full", ()),
        ("same", ("--clock", "1")),
        ("clocked", ("--clock", "period=2 pattern=last")),
        ("learned", ("--adaptor", "learned")),
        ("seed", ("--seed", 1)),
    ):
        path = tmp_path / f"{name}.y4m"
        done = scaleflow("diffusion", "restore", coded, path, "--run", trained, "--steps", 4, *arguments)
        assert done.code == 0, done.stderr
        outputs[name] = path.read_bytes()
        with open_video(path) as reader:
            assert (reader.properties.width, reader.properties.height) == (88, 72)
            assert len(list(reader)) == 3
    assert outputs["full"] == outputs["same"]
    assert len(set(outputs.values())) == 4
    sound = tmp_path / "sound.mp4"
    done = scaleflow("diffusion", "restore", with_audio, sound, "--run", trained, "--steps", 1, "--frames", 2)
    assert done.code == 0, done.stderr
    with open_video(sound) as reader:
        assert len(reader.audio_streams) == 1 and len(list(reader)) == 2


def test_measured_beside_each_other(
    scaleflow: Run, carphone: Path, trained: Path, tmp_path: Path, lpips_backbone: Path
) -> None:
    arguments = ("--steps", 4, "--frames", 2, "--crop", 64, "--lpips-backbone", lpips_backbone, "--json")
    done = scaleflow("diffusion", "eval", trained, "--data", carphone, "--out", tmp_path / "results", *arguments)
    assert done.code == 0, done.stderr
    points: dict[str, Any] = {str(point["name"]): point for point in events(done.stdout)}
    assert list(points) == [
        "decoded",
        "diffusion, full",
        "diffusion, fewer steps",
        "clockwork, identity, alternating",
        "clockwork, identity, consecutive",
        "clockwork, learned adaptor",
    ]
    full, fewer, clocked, last, learned = list(points.values())[1:]
    assert points["decoded"]["gmacs"] == 0 < fewer["gmacs"] < full["gmacs"]
    assert clocked["gmacs"] == last["gmacs"] < learned["gmacs"] < full["gmacs"]
    assert abs(fewer["gmacs"] - clocked["gmacs"]) <= full["gmacs"] / 8  # half a step of four
    assert full["psnr"] < 99 and len({point["lpips"] for point in points.values()}) == 6
    with (tmp_path / "results" / "restoration.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["frechet"]) for row in rows] == [point["frechet"] for point in points.values()]
    assert "no FID" in (tmp_path / "results" / "restoration.md").read_text()
    # the clip itself instead of what the codec made of it would be at no distance
    assert min(point["frechet"] for point in points.values()) > 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("train",), 2, "data.path is empty"),
        (("train", "{tmp}/none"), 2, "there is no such folder"),
        (("train", "{tmp}"), 1, "holds no video"),
        (("train", "{videos}", "data.patch=128"), 1, "too small for crops of 128: lower data.patch"),
        (("train", "{videos}", "data.patch=100"), 2, "is no multiple of 64: use 64"),
        (("train", "{videos}", "data.crop=30"), 2, "no multiple of 4, as the UNet needs"),
        (("train", "{videos}", "training.stepz=3"), 2, "did you mean steps"),
        (("train", "{videos}", "network.channels=[8]"), 2, "two scales or more"),
        (("train", "{videos}", "network.chanels=[8]"), 2, "did you mean channels"),
        (("train", "{videos}", "data.quality=[9,3]"), 2, "two rising numbers"),
        (("train", "{videos}", "--preset", "large"), 2, "preset 'large' is unknown: use small, tiny"),
    ],
)
def test_what_cannot_be_trained(
    scaleflow: Run, videos: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    given = [argument.format(tmp=tmp_path, videos=videos) for argument in arguments]
    preset = () if "--preset" in given else ("--preset", "tiny")
    refused = scaleflow("diffusion", *given, *preset, "--out", tmp_path / "run")
    assert (refused.code, words in refused.stderr) == (code, True), refused.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("distill", "{tmp}"), 2, "holds no diffusion.safetensors"),
        (("distill", "{run}"), 2, "holds a run already"),
        (("distill", "{other}", "clock.period=1"), 2, "no step of 8 is left to an adaptor"),
        (("distill", "{other}", "clock.pattern=odd"), 2, "clock.pattern"),
        (("distill", "{other}", "sampling.cut=2"), 2, "can be cut behind the first 1 to 1"),
        (("restore", "{clip}", "{tmp}/o.mp4", "--run", "{tmp}"), 2, "holds no diffusion.safetensors"),
        (("restore", "{tmp}/none.mp4", "{tmp}/o.mp4", "--run", "{run}"), 2, "there is no such file"),
        (("restore", "{clip}", "{tmp}/o.mp4", "--run", "{run}", "--clock", "0"), 2, "must be a whole number from 1 on"),
        (("restore", "{clip}", "{tmp}/o.mp4", "--run", "{run}", "--adaptor", "learned"), 2, "use --steps 4"),
        (("restore", "{clip}", "{tmp}/o.mp4", "--run", "{other}", "--adaptor", "learned"), 2, "there is no adaptor"),
        (("restore", "{clip}", "{tmp}/o.mp4", "--run", "{nets}"), 1, "holds no restoration model"),
        (("restore", "{small}", "{tmp}/o.mp4", "--run", "{run}"), 1, "2x2, too small to restore"),
        (("eval", "{run}", "--data", "{tmp}/none", "--out", "{tmp}/o"), 2, "there is no such file or folder"),
        (("eval", "{run}", "--data", "{clip}", "--crop", "128", "--out", "{tmp}/o"), 1, "too small for a crop of 128"),
        (("eval", "{run}", "--data", "{clip}", "--crop", "16", "--out", "{tmp}/o"), 2, "--crop 16: 32 and more"),
    ],
)
def test_what_cannot_be_done_with_a_run(
    scaleflow: Run,
    carphone: Path,
    trained: Path,
    tmp_path: Path,
    ffmpeg: Callable[..., None],
    lpips_backbone: Path,
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    other, nets, small = tmp_path / "other", tmp_path / "nets", tmp_path / "small.y4m"
    other.mkdir()
    nets.mkdir()
    for name in ("diffusion.safetensors", "pairs.safetensors"):
        shutil.copy(trained / name, other)
    shutil.copy(trained / "adaptor" / "adaptor.safetensors", nets / "diffusion.safetensors")
    if "{small}" in arguments:
        ffmpeg("-i", carphone, "-vf", "scale=2:2", "-frames:v", 1, small)
    places = {"tmp": tmp_path, "run": trained, "other": other, "nets": nets, "clip": carphone, "small": small}
    given = [argument.format(**places) for argument in arguments]
    if given[0] == "eval":
        given += ["--lpips-backbone", str(lpips_backbone), "--steps", "4"]
    refused = scaleflow("diffusion", *given)
    assert (refused.code, words in refused.stderr) == (code, True), refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "o.mp4").exists() and not (tmp_path / "o").exists()
    assert not (other / "adaptor").exists()
