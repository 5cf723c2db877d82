"""``import scaleflow``: what it names, that it is quick, and that the examples of its docstrings hold."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import scaleflow
from scaleflow.codec.container import SfvReader, VideoPacket
from tests.codec.conftest import carphone, ffmpeg

__all__ = ["carphone", "ffmpeg"]


@pytest.fixture(scope="module")
def coded(carphone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pictures in two groups, by the shipped model."""
    path = tmp_path_factory.mktemp("public") / "clip.sfv"
    scaleflow.encode(carphone, path, scaleflow.EncodeSettings(quality=30, frames=8, intra_period=4))
    return path


def test_all_names_are_there_and_documented() -> None:
    assert scaleflow.__all__ == sorted(scaleflow.__all__)
    assert set(scaleflow.__all__) <= set(dir(scaleflow))
    for name in scaleflow.__all__:
        value = getattr(scaleflow, name)
        assert name == "__version__" or (value.__doc__ and value.__module__.startswith("scaleflow."))
    with pytest.raises(AttributeError, match="no attribute 'encod'"):
        scaleflow.encod  # noqa: B018


def test_the_import_alone_loads_no_networks() -> None:
    program = (
        "import sys, scaleflow\n"
        "assert not {'torch', 'av', 'numpy', 'typer'} & set(sys.modules); print(len(scaleflow.__all__))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) == len(scaleflow.__all__)


@pytest.mark.parametrize("name", [name for name in scaleflow.__all__ if name != "__version__"])
def test_examples(name: str, carphone: Path, coded: Path, tmp_path: Path) -> None:
    given = {"clip": _first_pictures(carphone, tmp_path), "coded": coded, "folder": tmp_path}
    tests = doctest.DocTestFinder(recurse=False).find(getattr(scaleflow, name), name, globs=given)
    assert tests and tests[0].examples, f"{name} has no example"
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(tests[0]).failed == 0


def _first_pictures(clip: Path, folder: Path) -> Path:
    """The first eight pictures of a y4m file."""
    data = clip.read_bytes()
    header, _, frames = data.partition(b"\n")
    path = folder / "clip.y4m"
    path.write_bytes(header + b"\n" + frames[: 8 * (len(b"FRAME\n") + 88 * 72 * 3 // 2)])
    return path


def test_seeking_gives_the_picture_that_is_shown(coded: Path) -> None:
    with scaleflow.open_decoder(coded) as decoder:
        frames = list(decoder)
        assert [frame.number for frame in frames] == list(range(8))
        assert [frame.seconds for frame in frames] == [n / 20 for n in range(8)]
        for seconds, number in ((0.0, 0), (0.12, 2), (0.15, 3), (0.2, 4), (99.0, 7), (0.05, 1)):
            decoder.seek(seconds)
            frame = next(decoder)
            assert frame.number == number
            assert all((a == b).all() for a, b in zip(frame.planes, frames[number].planes, strict=True))
        decoder.seek(0.3)
        assert [frame.number for frame in decoder] == [6, 7]
        assert decoder.key_frame_seconds == (0.0, 0.2)
        with pytest.raises(scaleflow.UsageError, match="seconds = -1"):
            decoder.seek(-1)


def test_damage_is_raised_or_repeated(coded: Path, tmp_path: Path) -> None:
    with SfvReader(coded) as reader:
        offset = next(item.offset for item in reader if isinstance(item, VideoPacket) and item.kind == "inter")
    data = bytearray(coded.read_bytes())
    data[offset + 20] ^= 0xFF
    damaged = tmp_path / "damaged.sfv"
    damaged.write_bytes(data)
    with pytest.raises(scaleflow.DataError, match="damage at byte"), scaleflow.open_decoder(damaged) as decoder:
        list(decoder)
    with scaleflow.open_decoder(damaged, tolerate_damage=True) as decoder:
        frames = list(decoder)
    assert [frame.number for frame in frames if frame.repeated] == [1, 2, 3]
    assert [frame.number for frame in frames] == list(range(8))


def test_the_picture_is_that_of_the_decoded_file(coded: Path, tmp_path: Path) -> None:
    scaleflow.decode(coded, f"{tmp_path}/pictures/")
    from PIL import Image

    with scaleflow.open_decoder(coded) as decoder:
        for frame, path in zip(decoder, sorted((tmp_path / "pictures").iterdir()), strict=True):
            assert (frame.rgb() == Image.open(path)).all()
            assert (frame.tensor().permute(1, 2, 0).numpy() == frame.rgb()).all()
