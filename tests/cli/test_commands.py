"""The verbs, from what is typed to exit codes and files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from scaleflow.cli.main import EXIT_BROKEN_PIPE
from scaleflow.codec.container import SfvReader, VideoPacket
from scaleflow.codec.models import registry
from tests.cli.conftest import Result, typed
from tests.codec.stand_in import StandInModel
from tests.places import REPOSITORY

Run = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(scope="module")
def coded_once(carphone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 pictures in three groups, by the stand-in."""
    path = tmp_path_factory.mktemp("coded") / "coded.sfv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "load_model", lambda *arguments, **options: StandInModel())
        result = typed("encode", carphone, path, "--quality", 40, "--frames", 24, "--intra-period", 8)
    # Nothing is said where no terminal listens.
    assert (result.code, result.stdout, result.stderr) == (0, "", "")
    return path


@pytest.fixture
def coded(coded_once: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copy(coded_once, tmp_path))


def damaged(path: Path) -> Path:
    with SfvReader(path) as reader:
        offset = next(item.offset for item in reader if isinstance(item, VideoPacket) and item.frame_number == 8)
    data = bytearray(path.read_bytes())
    data[offset + 60] ^= 1
    result = path.with_name("damaged.sfv")
    result.write_bytes(data)
    return result


def pictures_of(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_encode_decode_info_verify(scaleflow: Run, coded: Path, tmp_path: Path) -> None:
    assert scaleflow("decode", coded, tmp_path / "decoded.mp4").code == 0
    assert pictures_of(tmp_path / "decoded.mp4") == 24
    verified = scaleflow("verify", coded)
    assert verified.code == 0 and "24 pictures, no damage" in verified.stdout
    shown = scaleflow("info", coded)
    assert shown.code == 0 and "88x72 yuv420p, 20 pictures/s" in shown.stdout and "3 key frames" in shown.stdout


def test_raw_files_are_read_by_their_names(scaleflow: Run, tmp_path: Path) -> None:
    samples = bytes(range(96)) * (3 * 64 * 48 * 3 // 2 // 96)
    named, bare = tmp_path / "Noise_64x48_50fps_420_8bit_YUV.yuv", tmp_path / "bare.yuv"
    named.write_bytes(samples)
    bare.write_bytes(samples)
    assert scaleflow("encode", named, tmp_path / "named.sfv").code == 0
    shown = scaleflow("info", tmp_path / "named.sfv")
    assert "64x48 yuv420p, 50 pictures/s" in shown.stdout
    assert scaleflow("encode", bare, tmp_path / "bare.sfv", "--size", "64x48", "--fps", 50).code == 0
    assert (tmp_path / "named.sfv").read_bytes() == (tmp_path / "bare.sfv").read_bytes()
    assert scaleflow("encode", named, tmp_path / "slow.sfv", "--fps", 10).code == 0
    assert "10 pictures/s" in scaleflow("info", tmp_path / "slow.sfv").stdout
    refused = scaleflow("encode", bare, tmp_path / "refused.sfv")
    assert refused.code == 2 and "bare.yuv: raw video has no header" in refused.stderr
    assert not (tmp_path / "refused.sfv").exists()


def test_json_lines(scaleflow: Run, carphone: Path, coded: Path, tmp_path: Path) -> None:
    output = tmp_path / "again.sfv"
    result = scaleflow("encode", carphone, output, "--frames", 5, "--psnr", "--json")
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert records[0]["event"] == "progress" and records[-1]["event"] == "summary"
    assert records[-1]["pictures"] == 5 and records[-1]["file_bytes"] == output.stat().st_size
    assert 20 < records[-1]["psnr_yuv"] < 100
    info = json.loads(scaleflow("info", coded, "--json").stdout)
    assert info["pictures"] == 24 and [key["picture"] for key in info["key_frames"]] == [0, 8, 16]
    assert sum(info["bits"].values()) == 8 * coded.stat().st_size
    decoded = scaleflow("decode", coded, tmp_path / "decoded.y4m", "--json")
    assert json.loads(decoded.stdout.splitlines()[-1])["pictures"] == 24


def test_damage_is_said_and_exits_with_1(scaleflow: Run, coded: Path, tmp_path: Path) -> None:
    bad = damaged(coded)
    result = scaleflow("decode", bad, tmp_path / "decoded.y4m")
    assert result.code == 1 and pictures_of(tmp_path / "decoded.y4m") == 24
    assert "damage at byte" in result.stderr and "pictures 8 to 15 are lost" in result.stderr
    assert scaleflow("decode", bad, tmp_path / "tolerated.y4m", "--tolerate-damage").code == 0
    assert scaleflow("verify", bad).code == 1 and scaleflow("info", bad).code == 1


@pytest.mark.parametrize("name", ["decoded.mp4", "decoded.mkv", "decoded.y4m"])
def test_nothing_is_left_where_no_picture_can_be_decoded(
    scaleflow: Run, coded: Path, tmp_path: Path, name: str
) -> None:
    data = bytearray(coded.read_bytes())
    with SfvReader(coded) as reader:
        for offset in (item.offset for item in reader if isinstance(item, VideoPacket) and item.kind == "intra"):
            data[offset + 60] ^= 1
    coded.write_bytes(data)
    result = scaleflow("decode", coded, tmp_path / name)
    lines = result.stderr.splitlines()
    assert result.code == 1 and all(line.startswith("scaleflow: ") for line in lines)
    assert lines[-1].endswith("there is no picture to write")
    assert [path.name for path in tmp_path.iterdir()] == ["coded.sfv"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["encode", "{clip}", "{new}", "-q", "40", "--bpp", "0.1"], 2, "give one"),
        (["encode", "{clip}", "{new}", "-q", "99"], 2, "--quality 99 is outside"),
        (["encode", "{clip}", "{new}", "--bitrate", "fast"], 2, "--bitrate 'fast'"),
        (["encode", "{clip}", "{old}"], 2, "exists already"),
        (["encode", "{clip}", "{clip}", "--overwrite"], 2, "input itself"),
        (["encode", "{folder}/none.mp4", "{new}"], 2, "no such file"),
        (["encode", "{old}", "{new}"], 1, "text.sfv: "),
        (["encode", "{empty}", "{new}"], 1, "empty.mp4: "),
        (["encode", "{clip}", "{folder}/no/new.sfv"], 2, "create it first"),
        (["encode", "{clip}", "{new}", "--pix-fmt", "gray"], 2, "--size"),
        (["encode", "{clip}", "{new}", "--size", "88x72"], 2, "--fps"),
        (["encode", "{clip}", "-", "--json"], 2, "--json"),
        (["encode", "-", "{new}", "--target-psnr", "30"], 2, "pipe"),
        (["encode", "{clip}", "{new}", "--bitrate", "90k", "--workers", "2"], 2, "--two-pass"),
        (["decode", "{old}", "{new}"], 1, "not an .sfv file"),
        (["decode", "{folder}/none.sfv", "{folder}/new.mp4"], 2, "cannot be opened"),
        (["decode", "{empty}", "{folder}/new.mp4"], 1, "is empty"),
        (["decode", "{coded}", "{folder}/new.unknown"], 2, "cannot tell the form"),
        (["decode", "{coded}", "{old}"], 2, "exists already"),
        (["info", "{old}"], 1, "not an .sfv file"),
        (["verify", "{clip}"], 1, "not an .sfv file"),
    ],
)
def test_mistakes_take_one_line(
    scaleflow: Run, carphone: Path, coded: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    old, empty = tmp_path / "text.sfv", tmp_path / "empty.mp4"
    old.write_text("no video at all, only words")
    empty.touch()
    names = {"clip": carphone, "new": tmp_path / "new.sfv", "old": old, "empty": empty, "folder": tmp_path}
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    result = scaleflow(*[argument.format(coded=coded, **names) for argument in arguments])
    assert result.code == code
    (line,) = result.stderr.splitlines()
    assert line.startswith("scaleflow: ") and message in line
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_debug_shows_where(scaleflow: Run, tmp_path: Path) -> None:
    result = scaleflow("--debug", "info", tmp_path / "none.sfv")
    assert result.code == 2


def test_raw_input(scaleflow: Run, carphone: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw.yuv"
    data = carphone.read_bytes()
    size = 88 * 72 * 3 // 2
    start = data.index(b"\n") + 1
    raw.write_bytes(b"".join(data[start + n * (6 + size) + 6 : start + (n + 1) * (6 + size)] for n in range(4)))
    result = scaleflow("encode", raw, tmp_path / "a.sfv", "--size", "88x72", "--fps", "20")
    assert result.code == 0
    scaleflow("encode", carphone, tmp_path / "b.sfv", "--frames", 4)
    assert json.loads(scaleflow("info", tmp_path / "a.sfv", "--json").stdout)["frame_rate"] == "20"
    payloads = []
    for name in ("a.sfv", "b.sfv"):
        with SfvReader(tmp_path / name) as reader:
            payloads.append([item.payload for item in reader if isinstance(item, VideoPacket)])
    assert payloads[0] == payloads[1]


def test_models_are_listed(scaleflow: Run) -> None:
    assert "ssf2020-9" in scaleflow("models").stdout


def test_through_pipes(program: Start, scaleflow: Run, carphone: Path, tmp_path: Path) -> None:
    with carphone.open("rb") as source:
        encoder = program("encode", "-", "-", "--frames", "10", "--quality", "40", stdin=source)
        decoder = program("decode", "-", "-", "--format", "y4m", stdin=encoder.stdout)
        assert encoder.stdout is not None
        encoder.stdout.close()
        piped, errors = decoder.communicate(timeout=300)
    assert (encoder.wait(), decoder.returncode, errors) == (0, 0, b"")
    scaleflow("encode", carphone, tmp_path / "a.sfv", "--frames", 10, "--quality", 40)
    scaleflow("decode", tmp_path / "a.sfv", tmp_path / "a.y4m")
    assert piped == (tmp_path / "a.y4m").read_bytes()


def test_a_reader_that_leaves_is_no_error_to_talk_about(program: Start, coded: Path) -> None:
    process = program("decode", coded, "-")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(timeout=300) == EXIT_BROKEN_PIPE and process.stderr.read() == b""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interruption_leaves_a_playable_file(
    program: Start, scaleflow: Run, carphone: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    path = tmp_path / "coded.sfv"
    # A pipe that is never closed: the encode would wait for ever.
    process = program("encode", "-", path, "--intra-period", "8", "--quality", "40", "--json")
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(carphone.read_bytes()[: 21 * (88 * 72 * 3 // 2 + 6) + 200])
    process.stdin.flush()
    process.stdout.readline()
    time.sleep(1)
    os.kill(process.pid, number)
    time.sleep(0.2)
    process.stdin.close()
    assert process.wait(timeout=300) == code
    assert scaleflow("verify", path).code == 0
    with SfvReader(path) as reader:
        count = sum(isinstance(item, VideoPacket) for item in reader)
    assert count and count % 8 == 0
    assert [file.name for file in tmp_path.iterdir()] == ["coded.sfv"]


def test_help_needs_no_networks() -> None:
    check = "import sys, scaleflow.cli.main; assert 'torch' not in sys.modules and 'av' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], cwd=REPOSITORY, check=True)
    shown = subprocess.run(
        [sys.executable, "-m", "scaleflow", "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert all(verb in shown.stdout for verb in ("encode", "decode", "info", "verify", "demo"))
