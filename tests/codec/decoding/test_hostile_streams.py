"""Streams made to do harm: each is refused in one line, and leaves nothing."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cbor2
import pytest

from scaleflow.codec.container import SfvHeader, SfvWriter
from scaleflow.codec.container.header import PRELUDE_SIZE, Key, parse_header
from scaleflow.codec.decoding.file import decode_file
from scaleflow.errors import DataError, ScaleFlowError
from tests.codec.conftest import times_of
from tests.codec.stand_in import StandInModel
from tests.fuzz.streams import coded, properties, sealed_header, sound

OUTPUTS = ("o.y4m", "o.yuv", "o.mp4", "o.mov", "o.mkv", "o.webm", "pictures/", "p%03d.png")


def write(path: Path, header: SfvHeader, audio: tuple[tuple[int | None, ...], ...] = ()) -> Path:
    """A stream of three pictures with audio packets at (pts, dts, duration)."""
    with SfvWriter(path, header) as writer:
        for number, (payload, key) in enumerate(coded(StandInModel(), 3)):
            writer.write_video(payload, "intra" if key else "inter", 40 * number)
            if number < len(audio):
                writer.write_audio(0, *audio[number], 1, sound("pcm_s16le").packets[0])  # type: ignore[arg-type]
    return path


@pytest.fixture
def header() -> SfvHeader:
    model = StandInModel()
    return SfvHeader(model.name, model.weights_hash, properties())


@pytest.mark.parametrize("pixel_format", ["quv420p", "gbr", "yuv4200", "vaapi", "yaf32le", "../x", "%s"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_unknown_pixel_formats_leave_nothing(header: SfvHeader, tmp_path: Path, pixel_format: str, output: str) -> None:
    stream = write(tmp_path / "in.sfv", replace(header, video=replace(header.video, pixel_format=pixel_format)))
    folder = tmp_path / "outputs"
    folder.mkdir()
    with pytest.raises(ScaleFlowError, match="pixel format") as refused:
        decode_file(stream, f"{folder}/{output}", lambda header: StandInModel())
    assert "\n" not in str(refused.value) and not list(folder.iterdir())


@pytest.mark.parametrize("output", ["o.mkv", "o.mp4", "o.mov"])
@pytest.mark.parametrize(
    "times",
    [
        ((0, 0, 2**62), (None, None, 2**62), (None, None, 2**62)),
        ((2**62, -(2**62), 0), (2**62, 2**62, 2**62), (None, None, 1)),
        ((0, 0, 2**62), (2**62, 2**62, 2**62), (2**62, 2**62, 2**62)),
    ],
)
def test_audio_whose_times_overflow_is_left_out(
    header: SfvHeader,
    tmp_path: Path,
    output: str,
    times: tuple[tuple[int | None, ...], ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    audio = replace(sound("pcm_s16le").stream, time_base=Fraction(1, 8000))
    stream = write(tmp_path / "in.sfv", replace(header, audio=(audio,)), times)
    path = tmp_path / "out" / output
    path.parent.mkdir()
    with caplog.at_level(logging.WARNING):
        try:
            decode_file(stream, path, lambda header: StandInModel())
        except DataError as error:
            assert "\n" not in str(error) and not list(path.parent.iterdir())
            return
    assert "audio stream 0 is left out: its times are out of range" in caplog.text
    assert len(times_of(path)) == 3 and [file.name for file in path.parent.iterdir()] == [output]


@pytest.mark.parametrize(
    "names", [[[]], [{}], [[[[]]]], [None], [b"x"], [{1: [2]}], ["a\n"], ["x" * 9999], [[]] * 100_000]
)
def test_required_features_of_any_type_are_refused(header: SfvHeader, names: list[object]) -> None:
    entries = cbor2.loads(header.to_bytes()[PRELUDE_SIZE:-4])
    entries[int(Key.REQUIRED)] = names
    with pytest.raises(DataError, match=r"the file needs .*, which this reader does not know: update") as refused:
        parse_header(sealed_header(cbor2.dumps(entries)))
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 500
