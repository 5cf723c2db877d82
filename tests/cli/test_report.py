"""``scaleflow report`` as it is typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result
from tests.codec.stand_in import StandInModel
from tests.evaluation.results_folder import add_points

Run = Callable[..., Result]


@pytest.fixture
def measured(tmp_path: Path, carphone: Path, ffmpeg: Callable[..., None]) -> Path:
    add_points(tmp_path / "results", carphone, 4, ffmpeg, crfs=(30,), qualities=(40,), model=StandInModel())
    return tmp_path / "results"


def test_report(scaleflow: Run, measured: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    result = scaleflow("report", measured, "-o", output, "--pictures", 1, "--bits-per-pixel", 0.1, "--anchor", "x264")
    # One point a codec makes no BD-rate, and standard error may say so.
    assert (result.code, result.stdout) == (0, "")
    assert "carphone.y4m" in output.read_text("utf-8")
    again = scaleflow("report", measured, "-o", output)
    assert again.code == 2 and "exists already" in again.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "report.pdf"], "end the name with .html"),
        (["-o", "a.html", "--clip", "foreman"], "clip 'foreman' was not measured; there are carphone.y4m"),
        (["-o", "a.html", "--bits-per-pixel", "0"], "--bits-per-pixel 0 is not above 0"),
        (["-o", "a.html", "--pictures", "99"], "--pictures 99 is outside 0..50"),
    ],
)
def test_bad_requests_are_one_line(scaleflow: Run, measured: Path, options: list[str], words: str) -> None:
    result = scaleflow("report", measured, *options)
    assert result.code == 2 and len(result.stderr.splitlines()) == 1 and words in result.stderr
