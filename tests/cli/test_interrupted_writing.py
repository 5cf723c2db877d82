"""Programs that are stopped at random moments leave the file, or the pictures, that they were to replace."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.errors import DataError
from tests.codec.stand_in import StandInModel

Start = Callable[..., "subprocess.Popen[bytes]"]


def wait_for_partial(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Until the program has begun to write, or ended."""
    while process.poll() is None and not list(folder.glob(".*.partial")):
        time.sleep(0.01)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_an_encode_that_is_stopped_leaves_the_old_file(
    program: Start, tmp_path: Path, carphone: Path, number: int, code: int
) -> None:
    target = tmp_path / "coded.sfv"
    target.write_bytes(b"old")
    process = program("encode", carphone, target, "--overwrite", "--verify")
    wait_for_partial(process, tmp_path)
    time.sleep(random.Random(number).uniform(0, 0.05))
    process.send_signal(number)
    _, said = process.communicate()
    if process.returncode:
        assert process.returncode == code and target.read_bytes() == b"old"
        assert number == signal.SIGKILL or b"stays as it was" in said
        assert number == signal.SIGKILL or [path.name for path in tmp_path.iterdir()] == ["coded.sfv"]


def test_stopping_keeps_what_would_be_replaced(tmp_path: Path, carphone: Path) -> None:
    path, model = tmp_path / "coded.sfv", StandInModel()
    path.write_bytes(b"old")
    settings = EncodeSettings(quality=40, intra_period=8, overwrite=True)
    with pytest.raises(DataError, match=r"interrupted: .*coded\.sfv stays as it was"):
        encode_file(carphone, path, model, settings, stop=lambda: model.encoded >= 20)
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_two_encodes_of_one_name(program: Start, tmp_path: Path, carphone: Path) -> None:
    target = tmp_path / "coded.sfv"
    first = program("encode", "-", target)
    assert first.stdin is not None
    data = carphone.read_bytes()
    first.stdin.write(data[: len(data) // 2])
    first.stdin.flush()
    wait_for_partial(first, tmp_path)
    second = program("encode", carphone, target, "--frames", 2)
    _, said = second.communicate()
    assert second.returncode == 2 and b"coded.sfv: is being written by another process" in said
    _, said = first.communicate(data[len(data) // 2 :])
    assert first.returncode == 0 and target.exists(), said


def test_pictures_of_a_decode_that_was_killed_come_back(
    program: Start, scaleflow: Callable[..., object], tmp_path: Path, carphone: Path
) -> None:
    coded, folder = tmp_path / "coded.sfv", tmp_path / "pictures"
    scaleflow("encode", carphone, coded, "--frames", 40)
    folder.mkdir()
    old = {f"frame_{number:06d}.png": f"old {number}" for number in range(1, 60)} | {"mine.png": "mine"}
    source = random.Random(1)
    for _ in range(3):
        for name, text in old.items():
            (folder / name).write_text(text)
        process = program("decode", coded, f"{folder}/", "--overwrite")
        wait_for_partial(process, folder)
        time.sleep(source.uniform(0, 0.1))
        process.kill()
        process.communicate()
        if process.returncode == 0:
            continue
        scaleflow("decode", coded, f"{folder}/", "--frames", 1)  # Refused, for there are pictures; it puts back first.
        found = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        before = {name: text.encode() for name, text in old.items()}
        if found != before:  # It was killed when all was done: then all are new.
            new = {f"frame_{number:06d}.png" for number in range(1, 41)}
            assert all(found[name].startswith(b"\x89PNG") for name in new)
            assert {name: found[name] for name in found.keys() - new} == {n: before[n] for n in before.keys() - new}
        assert not list(folder.glob(".*"))
