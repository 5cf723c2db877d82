"""``scaleflow task-rd`` with restoration: as the task itself, and in front of another network."""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from scaleflow.codec.video.reader import open_video
from scaleflow.efficient_nets.clockwork.clock import Clock
from scaleflow.efficient_nets.diffusion.weights_file import read_restoration
from scaleflow.evaluation.networks.restored_videos import Restorer
from scaleflow.evaluation.task_rate_distortion.task_point import UNCOMPRESSED, TaskPoint, read_task_points
from tests.cli.conftest import encoders_in_this_process, typed
from tests.cli.test_diffusion import trained as diffusion
from tests.cli.test_diffusion import videos
from tests.cli.test_nets import camvid, trained
from tests.evaluation.conftest import lpips_backbone

__all__ = ["camvid", "diffusion", "lpips_backbone", "trained", "videos"]

X264 = "x264=ffmpeg -c:v libx264 -preset ultrafast -bf 0 -crf 40"
FRAMES = 2


def rgb(path: Path) -> list[torch.Tensor]:
    """The first pictures, (3, H, W) in 0..1."""
    with open_video(path, working_format="rgb") as reader:
        pictures = islice(reader, FRAMES)
        return [torch.from_numpy(np.stack(picture.planes).astype(np.float32) / 255) for picture in pictures]


def of_codec(folder: Path, codec: str) -> list[TaskPoint]:
    return [point for point in read_task_points(folder) if point.record.codec == codec]


def test_restored_pictures_are_compared_with_those_that_were_coded(
    videos: Path, diffusion: Path, lpips_backbone: Path, carphone: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    given = ["--task", "restoration", "--data", videos, "--out", out, "--frames", FRAMES, "--codec", X264]
    given += ["--restore", f"{diffusion} steps=4", "--restore", f"{diffusion} steps=4 period=2 adaptor=learned"]
    with encoders_in_this_process():
        done = typed("task-rd", *given, "--lpips-backbone", lpips_backbone)
    assert done.code == 0, done.stderr
    full, clocked = sorted(of_codec(out, "x264"), key=lambda point: -point.network.macs)
    assert (full.network.identity.method, clocked.network.identity.method) == ("dense", "clockwork")
    assert clocked.network.identity.settings == "steps=4 period=2 adaptor=learned"
    assert clocked.network.dense_macs == full.network.macs and clocked.network.seconds > 0
    assert full.network.identity.size == (88, 72)
    (stream,) = (out / "streams").iterdir()
    model = read_restoration(diffusion / "diffusion.safetensors").model
    psnrs = []
    for decoded, original in zip(rgb(stream), rgb(carphone), strict=True):
        with torch.inference_mode():
            restored = model.restore(decoded[None], 4, model.noise_for(72, 88, seed=0))[0]
        error = float(((255 * restored).round() / 255 - original).square().mean())
        psnrs.append(-10 * math.log10(error))
    assert full.network.measures["psnr"] == pytest.approx(np.mean(psnrs), abs=0.01)
    assert 0 < full.metrics["restored lpips"] < 1
    assert len(of_codec(out, UNCOMPRESSED)) == 2
    figure = tmp_path / "figure.svg"
    assert typed("plot", out, "--x", "gmac", "--y", "psnr,restored lpips", "-o", figure).code == 0
    assert "LPIPS of restored pictures" in figure.read_text()


def test_networks_look_at_restored_pictures_too(camvid: Path, trained: Path, diffusion: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    given = ["--data", camvid, "--network", trained, "--out", out, "--frames", FRAMES, "--codec", X264]
    with encoders_in_this_process():
        done = typed("task-rd", *given, "--restore", f"{diffusion} steps=2 period=2")
    assert done.code == 0, done.stderr
    plain, restored = sorted(of_codec(out, "x264"), key=lambda point: point.network.macs)
    text = plain.network.identity.network
    assert restored.network.identity.network == f"{text} after restoration steps=2 period=2"
    model = read_restoration(diffusion / "diffusion.safetensors").model
    cost = Restorer(model, "", 2, Clock(period=2)).cost(72, 96)
    assert 0 < cost.macs < cost.dense_macs
    assert restored.network.macs - plain.network.macs == pytest.approx(cost.macs)
    assert restored.network.seconds > plain.network.seconds
    assert "after restoration steps=2 period=2" in done.stdout


def test_denoisers_of_nets_are_shown_what_was_decoded(videos: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "results"
    made = typed(
        "nets",
        "train",
        "restoration",
        "--preset",
        "tiny",
        "--network",
        "unet",
        "--data",
        videos,
        "--out",
        run,
        "--threads",
        1,
    )
    assert made.code == 0, made.stderr
    given = ["--data", videos, "--network", run, "--out", out, "--frames", FRAMES, "--codec", X264]
    with encoders_in_this_process():
        done = typed("task-rd", *given)
    assert done.code == 0, done.stderr
    (point,) = of_codec(out, "x264")
    assert point.network.measure == "psnr" and (point.network.measures["psnr"] or 0) > 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("RUN steps=many", "is no number of steps"),
        ("RUN adaptor=good", "neither identity nor learned"),
        ("RUN period=2 speed=3", "and steps, adaptor"),
        ("RUN steps=5 adaptor=learned", "distilled for 4"),
        ("nowhere", "nowhere"),
    ],
)
def test_mistakes_take_one_line(videos: Path, diffusion: Path, tmp_path: Path, words: str, said: str) -> None:
    given = ["--task", "restoration", "--data", videos, "--out", tmp_path / "out", "--codec", X264]
    done = typed("task-rd", *given, "--restore", words.replace("RUN", str(diffusion)))
    assert done.code == 2 and said in done.stderr.splitlines()[-1] and not (tmp_path / "out").exists()


def test_a_network_is_needed_elsewhere(camvid: Path, tmp_path: Path) -> None:
    done = typed("task-rd", "--data", camvid, "--out", tmp_path / "out")
    assert done.code == 2 and "--network is needed" in done.stderr
