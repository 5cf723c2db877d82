"""``--roi-from`` with a network in the loop, as it is typed: a trained network, the shipped model, real frames."""

from __future__ import annotations

import csv
import json
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scaleflow.codec.encoding.region_masks import to_codes
from scaleflow.codec.video.reader import open_video
from scaleflow.efficient_nets.networks.region_finder import read_region_finder
from scaleflow.evaluation.rate_distortion.results import read_points
from scaleflow.roi.mask_sources.in_loop import FinderInLoop
from tests.cli.conftest import Result, encoders_in_this_process, typed
from tests.cli.test_nets import VIDEO_FRAMES, camvid, trained
from tests.cli.test_training_commands import command, events
from tests.places import REPOSITORY

__all__ = ["camvid", "trained"]

CLASSES = "building,sky"
"""That the barely trained network finds in some places and not in others."""


def done(*arguments: object) -> Result:
    result = typed(*arguments)
    assert result.code == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def clip(camvid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures as a video without loss, so that they are read as they are."""
    path = tmp_path_factory.mktemp("clip") / "clip.y4m"
    done("encode", camvid / "val" / "images", path.with_suffix(".sfv"), "-q", 63)
    done("decode", path.with_suffix(".sfv"), path)
    return path


def options(trained: Path) -> list[object]:
    given = ["--quality", 20, "--intra-period", 3, "--no-scene-cut", "--threads", 1]
    return [*given, "--roi-from", "segmentation", "--roi-network", trained, "--roi-classes", CLASSES]


def test_masks_are_those_of_the_pictures_that_the_decoder_shows(clip: Path, trained: Path, tmp_path: Path) -> None:
    """The stream is the one that these masks give; nothing but the ordinary decoder is needed for it."""
    coded, decoded = tmp_path / "coded.sfv", tmp_path / "decoded.y4m"
    done("encode", clip, coded, *options(trained), "--verify")
    done("decode", coded, decoded)
    finder = FinderInLoop(read_region_finder("segmentation", trained, CLASSES.split(",")))
    with open_video(clip) as sources, open_video(decoded) as shown:
        video = sources.properties
        pictures = list(zip(sources, shown, strict=True))
    assert len(pictures) == VIDEO_FRAMES and video.frame_rate == Fraction(25)
    (tmp_path / "masks").mkdir()
    shares = []
    for number, (source, _) in enumerate(pictures):
        looked_at = source if number % 3 == 0 else pictures[number - 1][1]
        codes = to_codes(finder.mask_from(looked_at, video))
        shares.append(codes.mean() / 255)
        Image.fromarray(codes).save(tmp_path / "masks" / f"{number}.png")
    assert 0.05 < np.mean(shares) < 0.95, shares
    done("encode", clip, tmp_path / "again.sfv", *options(trained)[:-6], "--roi", tmp_path / "masks")
    assert (tmp_path / "again.sfv").read_bytes() == coded.read_bytes()


def test_workers_and_a_pipe_change_nothing(clip: Path, trained: Path, tmp_path: Path) -> None:
    for name, more in (("alone", ()), ("shared", ("--workers", 2))):
        done("encode", clip, tmp_path / f"{name}.sfv", *options(trained), *more)
    with clip.open("rb") as pipe:
        arguments = command("encode", "-", tmp_path / "piped.sfv", *options(trained))
        subprocess.run(arguments, stdin=pipe, cwd=REPOSITORY, check=True)
    coded = [(tmp_path / f"{name}.sfv").read_bytes() for name in ("alone", "shared", "piped")]
    assert coded[0] == coded[1] == coded[2]


@pytest.mark.parametrize("mode", ["learned-scaling", "implicit"])
def test_all_modes_take_what_a_network_finds(clip: Path, trained: Path, tmp_path: Path, mode: str) -> None:
    shown = done("encode", clip, tmp_path / "a.sfv", *options(trained), "--roi-mode", mode, "--psnr", "--json")
    assert json.loads(shown.stdout.splitlines()[-1])["region_psnr_yuv"] is not None
    done("verify", tmp_path / "a.sfv")


def test_dilation_grows_the_region(clip: Path, trained: Path, tmp_path: Path) -> None:
    sizes = []
    for dilation in (0, 256):
        path = tmp_path / f"{dilation}.sfv"
        done("encode", clip, path, *options(trained), "--roi-dilation", dilation)
        sizes.append(path.stat().st_size)
    assert sizes[0] < sizes[1]


def test_a_sweep_knows_the_network(camvid: Path, trained: Path, tmp_path: Path) -> None:
    """Beside plain coding of the same quality it takes less, and its weights are part of what the point is."""
    roi = f"roi=scaleflow --roi-from segmentation --roi-network {trained} --roi-classes {CLASSES}"
    arguments = ["task-rd", "--data", camvid, "--network", trained, "--out", tmp_path / "results", "--quality", "20"]
    with encoders_in_this_process():
        measured = typed(*arguments, "--codec", "scaleflow", "--codec", roi, "--json")
    assert measured.code == 0, measured.stderr
    assert events(measured.stdout)[-1] == {"event": "done", "points": 3, "failed": 0}
    points = {point.codec: point for point in read_points(tmp_path / "results")}
    assert "region network" in points["roi"].software and "region network" not in points["scaleflow"].software
    assert points["roi"].bits_per_pixel_by_kind["region map"] > 0
    with (tmp_path / "results" / "tasks.csv").open() as file:
        rates = {row["codec"]: float(row["bpp"]) for row in csv.DictReader(file) if row["bpp"]}
    assert rates["roi"] < rates["scaleflow"]
    wrong = typed(*arguments, "--codec", roi.replace("segmentation", "keypoints"))
    assert wrong.code == 2 and "codec roi: " in wrong.stderr and "was trained for segmentation" in wrong.stderr
