"""The installed ``scaleflow`` with the shipped model, on real clips, as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from tests.cli.conftest import typed

COMMAND = Path(sys.executable).with_name("scaleflow")


def scaleflow(*arguments: object, threads: int = 1) -> str:
    """Standard output of a command that succeeds without a word on standard error."""
    assert COMMAND.exists(), 'install the project first: pip install -e ".[test]"'
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [str(COMMAND), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def samples_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="yuv420p").astype(int) for frame in container.decode(video=0)]


def test_round_trip_is_the_same_for_any_number_of_threads(with_audio: Path, tmp_path: Path) -> None:
    coded, decoded = tmp_path / "coded.sfv", [tmp_path / f"{threads}.mkv" for threads in (1, 2)]
    shown = scaleflow("encode", with_audio, coded, "-q", 36, "--frames", 12, "--verify", "--psnr", "--json")
    summary = json.loads(shown.splitlines()[-1])
    assert summary["pictures"] == 12 and summary["file_bytes"] == coded.stat().st_size
    for threads, path in zip((1, 2), decoded, strict=True):
        scaleflow("decode", coded, path, "--lossless", "--threads", threads, threads=threads)
    one, two = (samples_of(path) for path in decoded)
    assert len(one) == 12 and all(np.abs(a - b).max() <= 1 for a, b in zip(one, two, strict=True))
    errors = [np.square(a - b).mean() for a, b in zip(samples_of(with_audio), one, strict=False)]
    assert np.mean([10 * np.log10(255**2 / error) for error in errors]) > 30
    assert "12 pictures, no damage" in scaleflow("verify", coded)


def test_workers_write_the_same_bytes(carphone: Path, tmp_path: Path) -> None:
    options = ("-q", 30, "--frames", 12, "--intra-period", 4, "--threads", 1)
    assert typed("encode", carphone, tmp_path / "alone.sfv", *options).code == 0
    scaleflow("encode", carphone, tmp_path / "shared.sfv", *options, "--workers", 2)
    assert (tmp_path / "alone.sfv").read_bytes() == (tmp_path / "shared.sfv").read_bytes()


@pytest.mark.parametrize("goal", [("--bitrate", "40k"), ("--bitrate", "40k", "--two-pass", "--frames", 40)])
def test_a_bitrate_is_met(carphone: Path, tmp_path: Path, goal: tuple[object, ...]) -> None:
    coded = tmp_path / "coded.sfv"
    assert typed("encode", carphone, coded, *goal).code == 0
    assert json.loads(typed("info", coded, "--json").stdout)["bitrate"] == pytest.approx(40e3, rel=0.03)


def test_demo(tmp_path: Path) -> None:
    shown = scaleflow("demo", "--out", tmp_path, "--frames", 4)
    assert "ScaleFlow, quality" in shown and "x264" in shown
    assert (tmp_path / "scaleflow-demo.png").stat().st_size > 10_000
