"""``scaleflow nets ... restoration``: noise is learned to be removed, from real frames and from a video."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result
from tests.cli.test_nets import DATA, camvid, points_in
from tests.cli.test_training_commands import events

__all__ = ["camvid"]

CLIP = DATA / "train" / "intel_asl_milk.mkv"

Run = Callable[..., Result]


def test_a_unet_learns_to_remove_noise(scaleflow: Run, camvid: Path, tmp_path: Path) -> None:
    out, results = tmp_path / "run", tmp_path / "results"
    start = ("nets", "train", "restoration", "--preset", "tiny", "--network", "unet", "--data", camvid / "train")
    changes = (f"data.validation={camvid / 'val'}", "training.steps=60", "training.learning_rate=1e-2", "task.noise=50")
    done = scaleflow(*start, "--out", out, "--threads", 1, "--json", *changes, "log_every=59")
    assert done.code == 0, done.stderr
    measures = events(done.stdout)[-1]["measures"]
    assert measures["noisy psnr"] == pytest.approx(14.15, abs=0.05)  # type: ignore[index]
    assert measures["gain"] > 2  # type: ignore[index]
    done = scaleflow("nets", "eval", out, "--data", camvid / "val", "--out", results)
    assert done.code == 0 and "noise of 50 added, 5 frames" in done.stdout, done.stderr
    (row,) = points_in(results)
    assert float(row["psnr"]) == pytest.approx(measures["psnr"], abs=0.01)  # type: ignore[index]
    assert float(row["gain"]) == pytest.approx(float(row["psnr"]) - float(row["noisy psnr"]))
    figure = tmp_path / "figure.svg"
    assert scaleflow("nets", "plot", results, "-o", figure).code == 0 and "PSNR (dB)" in figure.read_text()


def test_a_transformer_on_a_video(scaleflow: Run, tmp_path: Path) -> None:
    if not CLIP.is_file():
        pytest.skip("needs ../shared/data/train/intel_asl_milk.mkv")
    out, results = tmp_path / "run", tmp_path / "results"
    start = ("nets", "train", "restoration", "--preset", "tiny", "--network", "vit-tiny-skipat", "--data", CLIP)
    done = scaleflow(*start, "--out", out, "--threads", 1, "training.steps=2", "data.size=[64,32]")
    assert done.code == 0, done.stderr
    done = scaleflow("nets", "eval", out, "--data", CLIP, "--first", 3, "--frames", 2, "--out", results)
    assert done.code == 0, done.stderr
    (row,) = points_in(results)
    assert row["frames"] == "2" and float(row["noisy psnr"]) == pytest.approx(20.17, abs=0.3)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--data", "{camvid}/none"), 2, "there is no such folder or video"),
        (("--data", "{tmp}"), 1, "holds no videos, pictures or folders of pictures"),
        (("--data", "{camvid}/train", "task.noise=0"), 2, "task.noise = 0: a standard deviation above 0"),
        (
            ("--data", "{camvid}/train", "task.classes=[a,b]"),
            2,
            "task.classes: restoration finds its classes",
        ),
        (("--data", "{camvid}/train", "--network", "resnet"), 2, "network.name = resnet: gives no pictures: use unet"),
        (("--data", "{camvid}/train", "data.size=[100,64]"), 2, "pictures of 100x64 do not fit a grid of patches of 8"),
    ],
)
def test_what_cannot_be_trained(
    scaleflow: Run, camvid: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    given = [argument.format(tmp=tmp_path, camvid=camvid) for argument in arguments]
    start = ("nets", "train", "restoration", "--preset", "tiny", "--network", "vit-tiny", "--out", tmp_path / "run")
    refused = scaleflow(*start, *given)
    assert (refused.code, words in refused.stderr, refused.stderr.count("\n")) == (code, True, 1), refused.stderr
    assert not (tmp_path / "run").exists()
