"""``train`` and ``export`` as a user runs them: on real clips, stopped, resumed, exported, and the result encodes."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from scaleflow.codec.distortion import picture_psnr
from scaleflow.codec.video.reader import open_video
from scaleflow.evaluation.rate_distortion.codec_programs import scaleflow_command
from tests.cli.conftest import Result, typed
from tests.places import REPOSITORY
from tests.training.conftest import SHARED_TRAIN, bikes, vimeo_septuplets

__all__ = ["bikes", "vimeo_septuplets"]

Event = dict[str, float | str]
Run = Callable[..., Result]


def command(*arguments: object) -> list[str]:
    return [*scaleflow_command(), *map(str, arguments)]


def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command(*arguments), cwd=REPOSITORY, capture_output=True, text=True, timeout=600)
    assert done.returncode == code, done.stderr
    return done


def here(*arguments: object) -> Result:
    """As :func:`run`, in this process: what it does was shown as a program elsewhere."""
    done = typed(*arguments)
    assert done.code == 0, done.stderr
    return done


def events(output: str) -> list[Event]:
    return [json.loads(line) for line in output.splitlines()]


def mean_loss(reports: Sequence[Event]) -> float:
    return sum(float(report["loss"]) for report in reports) / len(reports)


def assert_codes(weights: Path, clip: Path, folder: Path) -> None:
    """The weights encode a clip, and what they encode decodes to something like it."""
    coded, decoded = folder / "coded.sfv", folder / "decoded.y4m"
    here("encode", clip, coded, "--weights", weights, "--quality", 40, "--frames", 4)
    here("decode", coded, decoded, "--weights", weights)
    assert coded.stat().st_size < 4 * 176 * 144 / 2
    with open_video(clip) as original, open_video(decoded) as copy:
        pairs = list(zip(copy, original))  # noqa: B905  # the original goes on
    assert len(pairs) == 4
    for ours, theirs in pairs:
        assert picture_psnr(theirs.planes, ours.planes, 8)[0] > 25


SHORT = ("stages.intra.steps=20", "stages.intra.batch=4", "stages.inter.steps=4", "stages.inter.batch=2", "log_every=4")
"""A fifth of the preset ``tiny``, which is still enough to make something of the codec that it starts from."""


def test_tiny_on_vimeo_is_stopped_resumed_and_exported(vimeo_septuplets: Path, carphone: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ("train", "--preset", "tiny", "--json", "--threads", 1, "--out", out)
    data = ("data.kind=vimeo", f"data.path={vimeo_septuplets}", *SHORT)
    with subprocess.Popen(command(*arguments, *data), cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        reports = []
        for line in process.stdout:
            reports.append(json.loads(line))
            if reports[-1]["step"] >= 8:
                process.send_signal(signal.SIGINT)
                break
        reports += events(process.stdout.read())
        assert process.wait(60) == 130
    stopped = time.time()
    reports += events(here(*arguments, "--resume").stdout)
    steps = [(report["stage"], report["step"]) for report in reports]
    assert steps == [("intra", step) for step in (4, 8, 12, 16, 20)] + [("inter", 4)]
    assert (out / "intra.ckpt").stat().st_mtime > stopped
    intra = [report for report in reports if report["stage"] == "intra"]
    assert mean_loss(intra[-2:]) < 0.95 * mean_loss(intra[:2])  # it starts from a codec
    assert "8 sequences of vimeo_septuplet" in (out / "model-card.md").read_text()
    assert any((out / "tensorboard").iterdir())

    weights = tmp_path / "tiny.safetensors"
    here("export", out / "last.ckpt", weights)
    assert_codes(weights, carphone, tmp_path)
    # and training goes on from what was exported
    more = ("data.kind=vimeo", f"data.path={vimeo_septuplets}", f"model.start={weights}", "stages.finetune.steps=2")
    here("train", "--preset", "finetune", "--threads", 1, "--out", tmp_path / "more", *more)


def training_clips(folder: Path, largest: int) -> Path:
    """A folder of links to the training clips that are not larger, in bytes."""
    if not SHARED_TRAIN.is_dir():
        pytest.skip("../shared/data/train is not there")
    folder.mkdir()
    for path in SHARED_TRAIN.iterdir():
        if path.stat().st_size <= largest and not path.name.startswith("."):
            (folder / path.name).symlink_to(path)
    return folder


def test_tiny_on_a_folder_of_videos_with_two_processes(bikes: Path, carphone: Path, tmp_path: Path) -> None:
    videos = training_clips(tmp_path / "videos", 160_000)
    whole = bikes.read_bytes()
    (videos / "cut_off.mp4").write_bytes(whole[: len(whole) // 3])
    (videos / "notes.txt").write_text("no video")
    changes = (f"data.path={videos}", "data.workers=0", "stages.intra.steps=20", "stages.inter.steps=10")
    done = run("train", "--preset", "tiny", "--json", "--processes", 2, "--out", tmp_path / "run", *changes)
    assert "cut_off.mp4" in done.stderr and "notes.txt" in done.stderr
    assert f"2 of {len(list(videos.iterdir())) - 1} files are no videos" in done.stderr
    assert [report["step"] for report in events(done.stdout)] == [10, 20, 10]
    weights = tmp_path / "tiny.safetensors"
    arguments = ("--calibration", carphone, "--json")
    report = json.loads(here("export", tmp_path / "run" / "last.ckpt", weights, *arguments).stdout)
    assert report["file_bytes"] == weights.stat().st_size
    assert [cost["quality"] for cost in report["costs"]] == [4, 24, 44, 63]
    assert all(-0.05 < cost["integer_rate"] < 0.005 for cost in report["costs"])
    assert_codes(weights, carphone, tmp_path)


@pytest.mark.slow
def test_tiny_on_all_training_clips(tmp_path: Path) -> None:
    videos = training_clips(tmp_path / "videos", 10**9)
    changes = (f"data.path={videos}", "model.start=random")
    done = run("train", "--preset", "tiny", "--json", "--threads", 1, "--out", tmp_path / "run", *changes)
    intra = [report for report in events(done.stdout) if report["stage"] == "intra"]
    assert mean_loss(intra[-2:]) < 0.7 * mean_loss(intra[:2])
    here("export", tmp_path / "run" / "last.ckpt", tmp_path / "tiny.safetensors")


def test_no_space_left_keeps_the_last_checkpoint(vimeo_septuplets: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk."""
    out = tmp_path / "run"
    changes = ("data.kind=vimeo", f"data.path={vimeo_septuplets}", "stages.intra.steps=2", "stages.inter.steps=2")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000_000, before[1]))
    try:
        done = typed("train", "--preset", "tiny", "--threads", 1, "--out", out, *changes, "data.workers=0")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert done.code == 1
    assert "last.ckpt" in done.stderr or "intra.ckpt" in done.stderr
    assert "cannot be written" in done.stderr
    assert not any(path.name.endswith(".partial") for path in out.iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("train", "--out", "{tmp}/run"), 2, "data.path is empty"),
        (("train", "--out", "{tmp}/run", "data.path={tmp}/none"), 2, "there is no such folder"),
        (("train", "--out", "{tmp}/run", "data.path={tmp}/empty"), 1, "holds no video that can be read"),
        (("train", "--out", "{tmp}/run", "data.path={tmp}/empty", "data.kind=vimeo"), 2, "sep_trainlist.txt"),
        (("train", "--out", "{tmp}/run", "data.path={vimeo}", "data.kind=vimeo", "data.crop=320"), 1, "too small"),
        (("train", "--out", "{tmp}/run", "data.path={vimeo}", "data.kind=packed"), 2, "packed.json"),
        (("train", "--out", "{tmp}/run", "data.path={vimeo}", "data.kind=shards"), 2, ".tar"),
        (
            ("train", "--out", "{tmp}/run", "data.path={vimeo}", "validation.clips=[{tmp}/no.mp4]"),
            2,
            "validation.clips",
        ),
        (("train", "--out", "{tmp}/run", "data.path={vimeo}", "validation.clips=[{raw}]"), 2, "does not say its size"),
        (("train", "--out", "{tmp}/run", "data.pth=x"), 2, "did you mean path?"),
        (("train", "--out", "{tmp}/run", "stages.intra.stepz=1"), 2, "did you mean steps?"),
        (("train", "--out", "{tmp}/run", "--resume"), 2, "holds no run"),
        (
            ("train", "--out", "{tmp}/run", "--preset", "huge"),
            2,
            "use adversarial, default, finetune, perceptual",
        ),
        (("export", "{tmp}/none.ckpt", "{tmp}/a.safetensors"), 2, "no such checkpoint"),
        (("export", "{clip}", "{tmp}/a.safetensors"), 1, "no checkpoint of scaleflow train"),
        (("export", "{clip}", "{tmp}/a.pt"), 2, "a.safetensors"),
    ],
)
def test_bad_input_is_one_clear_line(
    arguments: Sequence[str],
    code: int,
    words: str,
    scaleflow: Run,
    vimeo_septuplets: Path,
    carphone: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bare.yuv").write_bytes(bytes(9216))
    places = {
        "raw": str(tmp_path / "bare.yuv"),
        "tmp": str(tmp_path),
        "vimeo": str(vimeo_septuplets),
        "clip": str(carphone),
    }
    done = scaleflow(*(argument.format(**places) for argument in arguments))
    assert done.code == code and words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists() and not (tmp_path / "a.safetensors").exists()
