"""The programs of ``examples/`` run as they stand."""

from __future__ import annotations

import importlib.util
import math
from itertools import islice
from pathlib import Path
from types import ModuleType

import pytest

import scaleflow
from scaleflow.codec.video.reader import open_video
from scaleflow.codec.video.writer import open_output
from tests.codec.conftest import carphone, ffmpeg
from tests.places import REPOSITORY

__all__ = ["carphone", "ffmpeg"]
FOLDER = REPOSITORY / "examples"
SHORT = ("--frames", "4", "--metrics", "psnr")


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def coded(carphone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("examples") / "clip.sfv"
    scaleflow.encode(carphone, path, scaleflow.EncodeSettings(quality=30, frames=4))
    return path


def test_encode_with_a_region(carphone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = tmp_path / "short.y4m"
    with open_video(carphone, threads=1) as reader, open_output(short, reader.properties) as writer:
        for picture in islice(reader, 3):
            writer.write(picture)
    example("encode_with_a_region").main(str(short), str(tmp_path / "clip.sfv"))
    assert "3 pictures" in capsys.readouterr().out


def test_decode_to_tensors(coded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example("decode_to_tensors").main(str(coded), 0.1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "88x72, 20 pictures a second, on cpu"
    assert [line.split()[0] for line in lines[1:]] == ["0.100", "0.150"]


def test_accelerate_network(coded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example("accelerate_network").main(str(coded), 3)
    assert capsys.readouterr().out.count("class") == 3


def test_train_with_a_loss(capsys: pytest.CaptureFixture[str]) -> None:
    assert math.isfinite(example("train_with_a_loss").main(1))


def test_rate_distortion_plot(carphone: Path, tmp_path: Path) -> None:
    example("rate_distortion_plot").main(str(carphone), str(tmp_path / "curve.png"), *SHORT)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_custom_codec(carphone: Path, tmp_path: Path) -> None:
    example("custom_codec").main(str(carphone), str(tmp_path / "results"), *SHORT)
    assert {path.name for path in (tmp_path / "results").glob("*.json")} >= {"mjpeg.json", "intra-only.json"}


def test_all_are_listed() -> None:
    listed = (FOLDER / "README.md").read_text()
    for path in FOLDER.glob("*.py"):
        assert f"`{path.name}`" in listed and f"def test_{path.stem}(" in Path(__file__).read_text()
