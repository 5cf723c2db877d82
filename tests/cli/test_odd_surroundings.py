"""Closed standard streams, names that are no text, and numbers beyond measure."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scaleflow.cli.console import print_json
from scaleflow.codec.decoding.file import decode_file
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.settings import EncodeSettings
from tests.cli.conftest import STAND_IN_PROGRAM
from tests.cli.test_commands import Run
from tests.codec.stand_in import StandInModel
from tests.places import REPOSITORY


@pytest.fixture(scope="module")
def stream(carphone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streams") / "x.sfv"
    encode_file(carphone, path, StandInModel(), EncodeSettings(quality=40, frames=3))
    return path


def shell(*arguments: object, redirected: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command with redirected streams.

    Where pictures are coded, with the stand-in; ``info`` needs no networks, and starts sooner without.
    """
    program = ["-W", "ignore", "-m", "scaleflow"] if arguments[0] == "info" else ["-c", STAND_IN_PROGRAM]
    words = [sys.executable, *program, *map(str, arguments)]
    done = subprocess.run(
        ["bash", "-c", f'"$@" {redirected}', "bash", *words],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def test_closed_standard_streams(stream: Path, tmp_path: Path) -> None:
    assert shell("info", stream, "--json", redirected=">&-") == (0, "", "")
    code, _, said = shell("info", "-", redirected="<&-")
    assert (
        code == 2 and said == "scaleflow: standard input is closed or holds no bytes here: name a file instead of -\n"
    )
    # With none of the three, files would get their numbers, and what libraries print.
    assert shell("decode", stream, tmp_path / "alone.y4m", redirected="<&- >&- 2>&-") == (0, "", "")
    decode_file(stream, tmp_path / "other.y4m", lambda header: StandInModel())
    assert (tmp_path / "alone.y4m").read_bytes() == (tmp_path / "other.y4m").read_bytes()


def test_json_on_a_closed_stream_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    print_json({"a": 1})
    monkeypatch.setattr(sys, "stdout", shown := io.StringIO())
    print_json({"a": 1})
    assert shown.getvalue() == '{"a": 1}\n'


def test_names_that_are_no_text(stream: Path, scaleflow: Run, carphone: Path, tmp_path: Path) -> None:
    name = tmp_path / os.fsdecode(b"\xff\xfe.sfv")
    name.write_bytes(stream.read_bytes())
    code, shown, said = shell("info", name, redirected="")
    assert (code, said) == (0, "") and "\\udcff\\udcfe.sfv" in shown
    clip = tmp_path / os.fsdecode(b"\xff.y4m")
    clip.write_bytes(carphone.read_bytes())
    refused = scaleflow("rd", clip, "--out", tmp_path / "results", "--frames", 1)
    assert refused.code == 2 and "udcff.y4m" in refused.stderr and "is not UTF-8" in refused.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--frames", 10**30), "there are at most 2147483647 pictures"),
        (("--fps", "1e400"), "is not a frame rate"),
        (("--fps", "1e-400"), "is not a frame rate"),
        (("--fps", "9" * 5000), "is not a frame rate"),
    ],
)
def test_numbers_beyond_measure(
    scaleflow: Run, carphone: Path, tmp_path: Path, options: tuple[object, ...], words: str
) -> None:
    refused = scaleflow("encode", carphone, tmp_path / "coded.sfv", *options)
    assert refused.code == 2 and words in refused.stderr and len(refused.stderr) < 400
    assert not list(tmp_path.iterdir())
