"""Training with an adversary that is killed again and again ends where it would have ended undisturbed."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from tests.cli.test_training_commands import command, run
from tests.codec.conftest import packaged_clip
from tests.places import REPOSITORY

KILLS = 4

COMMON = (
    *("data.crop=64", "data.workers=1", "log_every=1", "checkpoint_every=1"),
    *("adversarial.lpips=0", "adversarial.ramp=3", "adversarial.weight=0.5", "optimization.precision=fp32"),
)
PRESETS = {
    "perceptual": (
        *("stages.lpips.steps=3", "stages.long.steps=1", "stages.adversary.steps=9"),
        *(f"stages.{stage}.{size}" for stage in ("lpips", "long", "adversary") for size in ("batch=1", "warm_up=0")),
    ),
    "adversarial": (
        *("model.start=random", "model.intra_latents=16", "model.residual_latents=16", "model.motion_latents=16"),
        *("stages.adversarial.steps=12", "stages.adversarial.batch=1", "stages.adversarial.warm_up=0"),
        "adversarial.bits_per_pixel=0.1",
    ),
}


def killed(arguments: Sequence[object], reports: int, seconds: float) -> bool:
    """Train until some reports are printed, go on for a while, then kill; whether there was something left to kill."""
    process = subprocess.Popen(
        command(*arguments), cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        for _ in range(reports):
            process.stdout.readline()
        time.sleep(seconds)
        process.kill()
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode in (0, -signal.SIGKILL), said
    return process.returncode != 0


def moments(seed: str) -> Iterator[tuple[int, float]]:
    """After how many reports, and how many seconds then."""
    source = random.Random(seed)
    while True:
        yield source.randrange(4), source.uniform(0, 0.6)


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_a_killed_run_ends_where_an_undisturbed_one_does(preset: str, tmp_path: Path) -> None:
    """Wherever it was killed: while it starts, in a step, while a checkpoint is written."""
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "carphone.mp4").symlink_to(packaged_clip("carphone_pristine.mp4"))
    given = ("train", "--preset", preset, "--threads", 1, "--json", f"data.path={videos}", *COMMON, *PRESETS[preset])
    weights = []
    for name in ("undisturbed", "killed"):
        folder = tmp_path / name
        arguments = [*given, "--out", folder]
        kills, when = 0, moments(preset)
        while name == "killed" and kills < KILLS:
            resumed = ["--resume"] if (folder / "last.ckpt").exists() else []
            assert killed([*arguments, *resumed], *next(when)), "over before it was killed often enough"
            kills += bool(resumed) or (folder / "last.ckpt").exists()
        run(*arguments, *(["--resume"] if kills else []))
        assert not [path for path in folder.iterdir() if "partial" in path.name]
        run("export", folder / "last.ckpt", tmp_path / f"{name}.safetensors")
        weights.append(content(tmp_path / f"{name}.safetensors"))
    plain, resumed = weights
    assert plain[0] == resumed[0] and plain[1].keys() == resumed[1].keys()
    assert all(torch.equal(resumed[1][key], value) for key, value in plain[1].items())


def content(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """What is said of the weights, and the weights; in the file the former come in any order."""
    with safe_open(path, framework="pt") as file:
        return file.metadata(), {key: file.get_tensor(key) for key in file.keys()}
