"""``scaleflow plot`` as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result

Run = Callable[..., Result]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "theirs.json"
    rates = [0.05, 0.1, 0.3]
    path.write_text(json.dumps({"name": "theirs", "results": {"bpp": rates, "psnr-y": [30, 33, 36]}}))
    return path


def test_plot(scaleflow: Run, published: Path, tmp_path: Path) -> None:
    output = tmp_path / "rd.svg"
    result = scaleflow("plot", published, "-o", output, "--metric", "psnr-y", "--title", "A & B")
    assert (result.code, result.stdout, result.stderr) == (0, "", "")
    assert "A &amp; B" in output.read_text() and "theirs" in output.read_text()
    again = scaleflow("plot", published, "-o", output)
    assert again.code == 2 and "exists already" in again.stderr
    assert scaleflow("plot", published, "-o", output, "--overwrite", "--linear").code == 0


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["-o", "rd.gif"], 2, "rd.gif: figures are written as .svg, .pdf, .png"),
        (["-o", "none/rd.svg"], 2, "does not exist; create it first"),
        (["-o", "rd.svg", "--metric", "psnr-y,vmaf"], 2, "no curve has metric 'vmaf' by bpp; there are psnr-y"),
        (["-o", "rd.svg", "--codec", "x264"], 2, "codec 'x264' was not measured; there are theirs"),
        (["-o", "rd.svg", "--clip", "a"], 2, "clips are in results folders, and none was given"),
    ],
)
def test_bad_requests_are_one_line(
    scaleflow: Run, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    options: list[str], code: int, words: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    result = scaleflow("plot", published, *options)
    assert result.code == code and words in result.stderr.splitlines()[-1]
    assert not (tmp_path / "rd.svg").exists()
