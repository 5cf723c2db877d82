"""``scaleflow votes``, and ``scaleflow report --blind``, as they are typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result, typed
from tests.codec.stand_in import StandInModel
from tests.evaluation.results_folder import add_points
from tests.evaluation.votes.conftest import Save, save, votes_file

__all__ = ["save"]

Run = Callable[..., Result]


def test_table(save: Save) -> None:
    first = save("1.json", votes_file(["a"] * 6 + ["b", None], session="1" * 32, clips=("x.y4m", "y.y4m")))
    second = save("2.json", votes_file(["a"], session="2" * 32))
    result = typed("votes", first, second, "--by-clip")
    assert result.code == 0 and not result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "9 votes of 2 persons"
    assert lines[3].split() == "a over b 83.3 % 50.7 to 96.1 % 7 1 1 0.070 2 +10.0 %".split()
    assert [line.split()[0] for line in lines[4:7]] == ["clip.y4m", "x.y4m", "y.y4m"]
    assert lines[-1].startswith("Ties count half")
    assert max(map(len, lines)) <= 100


def test_json_lines(save: Save) -> None:
    path = save("1.json", votes_file(["a", "b", None]))
    lines = [json.loads(line) for line in typed("votes", path, "--json", "--by-clip").stdout.splitlines()]
    assert [line["clip"] for line in lines] == [None, "clip.y4m"]
    assert lines[0]["codecs"] == ["a", "b"] and lines[0]["share"] == 0.5 and lines[0]["p_value"] == 1.0


def test_damaged_and_missing_files(save: Save, tmp_path: Path) -> None:
    sound, other = save("1.json", votes_file(["a"])), save("2.json", {"format": "another"})
    for path, code, words in (
        (other, 1, "2.json: is no votes file"),
        (tmp_path / "3.json", 2, "there is no such file"),
        (tmp_path, 2, "cannot be read"),
    ):
        result = typed("votes", sound, path)
        assert result.code == code and words in result.stderr and len(result.stderr.splitlines()) == 1
        assert not result.stdout


@pytest.fixture
def measured(tmp_path: Path, carphone: Path, ffmpeg: Callable[..., None]) -> Path:
    add_points(tmp_path / "results", carphone, 4, ffmpeg, crfs=(30,), qualities=(40,), model=StandInModel())
    return tmp_path / "results"


def test_blind_report(scaleflow: Run, measured: Path, tmp_path: Path) -> None:
    page = tmp_path / "test.html"
    apart = scaleflow("report", measured, "--blind", "-o", page, "--rate-tolerance", 0)
    assert apart.code == 2 and "within --rate-tolerance 0 % of the same size" in apart.stderr and not page.exists()
    # The stand-in's file is much larger than that of x264, which zeros after its end do not harm.
    (ours,) = (measured / "points").glob("*scaleflow*.json")
    (theirs,) = (measured / "points").glob("*x264*.json")
    wanted = json.loads(ours.read_text())["file_bytes"]
    stream = measured / json.loads(theirs.read_text())["stream"]
    stream.write_bytes(stream.read_bytes().ljust(wanted, b"\0"))
    point = json.loads(theirs.read_text()) | {"file_bytes": wanted}
    theirs.write_text(json.dumps(point))
    result = scaleflow("report", measured, "--blind", "-o", page, "--pairs", 3, "--pictures", 1)
    assert result.code == 0, result.stderr
    assert result.stdout.startswith(f"{page}: 3 pairs, ") and page.stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--pairs", "5"], "--pairs: is of blind tests; add --blind"),
        (["--codec", "x264"], "--codec: is of blind tests; add --blind"),
        (["--rate-tolerance", "5"], "--rate-tolerance: is of blind tests; add --blind"),
        (["--blind", "--codec", "x264"], "x264 alone makes no pair"),
        (["--blind", "--pairs", "0"], "--pairs 0 is outside 1..200"),
        (["--blind", "--seed", "-1"], "--seed -1 is outside"),
        (["--blind", "--rate-tolerance", "nan"], "--rate-tolerance nan is outside 0..100"),
        (["--blind", "--anchor", "x264"], "--anchor: a blind test has no BD-rates"),
        (["--blind", "--pictures", "99"], "--pictures 99 is outside 0..50"),
    ],
)
def test_bad_requests_are_one_line(options: list[str], words: str, tmp_path: Path) -> None:
    result = typed("report", tmp_path, "-o", tmp_path / "a.html", *options)
    assert result.code == 2 and len(result.stderr.splitlines()) == 1 and words in result.stderr
