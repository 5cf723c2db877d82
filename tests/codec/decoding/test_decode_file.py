"""Decoding whole files, sound and damaged."""

from __future__ import annotations

import dataclasses
import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from scaleflow.codec.container import SfvReader, VideoPacket
from scaleflow.codec.decoding.concealment import conceal
from scaleflow.codec.decoding.file import DecodeSettings, DecodeSummary, decode_file, verify_file
from scaleflow.codec.decoding.info import read_info
from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError, UsageError
from tests.codec.conftest import times_of
from tests.codec.stand_in import StandInModel

Encode = Callable[..., tuple[Path, object]]


@pytest.fixture
def decode(model: StandInModel, tmp_path: Path) -> Callable[..., tuple[Path, DecodeSummary]]:
    """Decodes with the stand-in; settings are keywords."""

    def run(source: Path, name: str = "decoded.y4m", **settings: object) -> tuple[Path, DecodeSummary]:
        path = tmp_path / name
        return path, decode_file(source, path, lambda header: model, DecodeSettings(**settings))  # type: ignore[arg-type]

    return run


Decode = Callable[..., tuple[Path, DecodeSummary]]


def planes_of(path: Path) -> list[tuple[np.ndarray, ...]]:
    with open_video(path) as reader:
        return [picture.planes for picture in reader]


def equal(first: tuple[np.ndarray, ...], second: tuple[np.ndarray, ...]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def packet_of(path: Path, number: int) -> VideoPacket:
    with SfvReader(path) as reader:
        return next(item for item in reader if isinstance(item, VideoPacket) and item.frame_number == number)


def flip(path: Path, offset: int, name: str = "damaged.sfv") -> Path:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x40
    damaged = path.with_name(name)
    damaged.write_bytes(data)
    return damaged


def test_near_lossless_round_trip(encode: Encode, decode: Decode, carphone: Path) -> None:
    coded, _ = encode(carphone, quality=63.0, intra_quality_offset=0.0, frames=12)
    decoded, summary = decode(coded)
    assert summary.is_sound and summary.pictures == 12
    assert all(map(equal, planes_of(decoded), planes_of(carphone)[:12]))


def test_audio_and_times_come_back(encode: Encode, decode: Decode, with_audio: Path) -> None:
    coded, _ = encode(with_audio)
    decoded, _ = decode(coded, "decoded.mp4")
    assert times_of(decoded) == pytest.approx(times_of(with_audio))
    assert times_of(decoded, "audio") == pytest.approx(times_of(with_audio, "audio"), abs=1e-4)


def test_uneven_times_come_back(encode: Encode, decode: Decode, uneven: Path) -> None:
    coded, _ = encode(uneven)
    decoded, _ = decode(coded, "decoded.mkv")
    assert times_of(decoded) == pytest.approx(times_of(uneven), abs=1e-3)


def test_an_excerpt_is_found_by_the_index(
    encode: Encode, decode: Decode, carphone: Path, monkeypatch: pytest.MonkeyPatch, model: StandInModel
) -> None:
    coded, _ = encode(carphone, intra_period=8)
    whole, _ = decode(coded, "whole.y4m")
    decoded_pictures = []
    decode_picture = StandInModel.decode_picture

    def count(*arguments: object) -> object:
        decoded_pictures.append(1)
        return decode_picture(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(StandInModel, "decode_picture", count)
    part, summary = decode(coded, "part.y4m", start=2.5, duration=0.5)
    assert summary.pictures == 10
    assert all(map(equal, planes_of(part), planes_of(whole)[50:60]))
    # Picture 48 is the key frame before picture 50.
    assert len(decoded_pictures) == 12


def test_an_excerpt_keeps_audio_in_step(encode: Encode, decode: Decode, with_audio: Path) -> None:
    coded, _ = encode(with_audio, intra_period=8)
    decoded, _ = decode(coded, "part.mkv", start=1.0, duration=1.0)
    pictures, audio = times_of(decoded), times_of(decoded, "audio")
    assert len(pictures) == 25 and pictures[0] == 0
    assert 0 <= audio[0] < 0.05 and 0.93 < audio[-1] < 1.0
    wanted = [time - 1 for time in times_of(with_audio, "audio") if 1 <= time < 2]
    assert audio == pytest.approx(wanted, abs=2e-3)


def test_an_excerpt_of_a_pipe(
    encode: Encode, carphone: Path, tmp_path: Path, model: StandInModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    coded, _ = encode(carphone, intra_period=8)

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Pipe(coded.read_bytes())))
    summary = decode_file("-", tmp_path / "part.y4m", lambda header: model, DecodeSettings(start=2.5, duration=0.5))
    assert summary.pictures == 10


def test_damage_costs_pictures_to_the_next_key_frame(
    encode: Encode, decode: Decode, carphone: Path, caplog: pytest.LogCaptureFixture
) -> None:
    coded, _ = encode(carphone, intra_period=16, frames=64)
    whole = planes_of(decode(coded, "whole.y4m")[0])
    packet = packet_of(coded, 20)
    damaged = flip(coded, packet.offset + 100)
    decoded, summary = decode(damaged)
    pictures = planes_of(decoded)
    assert not summary.is_sound and summary.damage_count == 1
    assert summary.damage[0].offset == packet.offset
    (loss,) = summary.losses
    assert loss.first <= 20 and loss.last == 31
    assert f"damage at byte {packet.offset} (picture {loss.first}, {loss.first / 20:.3f} s)" in caplog.text
    assert f"pictures {loss.first} to 31 are lost" in caplog.text
    # As many as before, at the same times: others stand in for those that are lost, between the good ones around.
    assert len(pictures) == 64 and summary.pictures == 64 and summary.repeated == summary.lost == loss.count
    shares = [(number + 1) / (loss.count + 1) for number in range(loss.count)]
    whole[loss.first : loss.last + 1] = conceal(whole[loss.first - 1], whole[loss.last + 1], shares, 8)
    for number, picture in enumerate(pictures):
        assert equal(picture, whole[number]), number


def test_a_lost_key_frame_costs_its_group(encode: Encode, decode: Decode, carphone: Path) -> None:
    coded, _ = encode(carphone, intra_period=16, frames=64)
    damaged = flip(coded, packet_of(coded, 32).offset + 50)
    _, summary = decode(damaged)
    assert [(loss.first, loss.last) for loss in summary.losses] == [(32, 47)] and summary.pictures == 64


def test_pictures_cut_out_of_the_file_are_replaced(encode: Encode, decode: Decode, carphone: Path) -> None:
    coded, _ = encode(carphone, intra_period=8, frames=40)
    data = coded.read_bytes()
    start, end = packet_of(coded, 16).offset, packet_of(coded, 24).offset
    shorter = coded.with_name("shorter.sfv")
    shorter.write_bytes(data[:start] + data[end:])
    _, summary = decode(shorter)
    assert [(loss.first, loss.last) for loss in summary.losses] == [(16, 23)] and summary.pictures == 40


def test_a_lost_start_has_nothing_to_repeat(encode: Encode, decode: Decode, carphone: Path) -> None:
    coded, _ = encode(carphone, intra_period=8, frames=24)
    _, summary = decode(flip(coded, packet_of(coded, 0).offset + 50))
    assert (summary.pictures, summary.repeated, summary.lost) == (16, 0, 8)


def test_a_truncated_file_gives_what_is_there(encode: Encode, decode: Decode, carphone: Path) -> None:
    coded, _ = encode(carphone, intra_period=8, frames=40)
    cut = coded.with_name("cut.sfv")
    cut.write_bytes(coded.read_bytes()[: packet_of(coded, 24).offset])
    _, summary = decode(cut)
    assert summary.pictures == 24 and "truncated" in summary.damage[0].reason


def test_a_file_without_any_sound_picture_leaves_nothing(encode: Encode, decode: Decode, carphone: Path) -> None:
    coded, _ = encode(carphone, frames=1)
    damaged = flip(coded, packet_of(coded, 0).offset + 50)
    with pytest.raises(DataError, match="no picture"):
        decode(damaged)
    assert not list(coded.parent.glob("*decoded*"))


def test_payloads_that_cannot_be_decoded_are_damage_too(encode: Encode, decode: Decode, carphone: Path) -> None:
    """Checksums are right, but the pictures are not what the model makes."""
    coded, _ = encode(carphone, intra_period=8, frames=24)

    class Picky(StandInModel):
        def decode_picture(self, payload: bytes, geometry: object, reference: object) -> object:  # type: ignore[override]
            if payload == broken:
                raise DataError("symbols are left over")
            return super().decode_picture(payload, geometry, reference)  # type: ignore[arg-type]

    broken = packet_of(coded, 11).payload
    summary = verify_file(coded, lambda header: Picky())
    assert [(loss.first, loss.last) for loss in summary.losses] == [(11, 15)]
    assert summary.damage[0].reason == "symbols are left over" and summary.damage[0].frame_number == 11
    assert verify_file(coded, lambda header: StandInModel()).is_sound


def test_other_weights_are_refused_by_both_hashes(encode: Encode, tmp_path: Path, carphone: Path) -> None:
    coded, _ = encode(carphone, frames=2)
    other = StandInModel(weights_hash="cd" * 32)
    with pytest.raises(DataError, match=f"{'ab' * 32}.*{'cd' * 32}.*give the file as weights"):
        decode_file(coded, tmp_path / "decoded.y4m", lambda header: other)
    assert not (tmp_path / "decoded.y4m").exists()


def test_outputs_are_checked_before_the_model_is_loaded(encode: Encode, tmp_path: Path, carphone: Path) -> None:
    coded, _ = encode(carphone, frames=2)

    def refuse(header: object) -> StandInModel:
        raise AssertionError("loaded for nothing")

    (tmp_path / "there.mp4").write_bytes(b"precious")
    for name in ("there.mp4", "no/folder.mp4", coded.name):
        with pytest.raises(UsageError):
            decode_file(coded, tmp_path / name, refuse)
    with pytest.raises(UsageError, match="input itself"):
        decode_file(coded, coded, refuse, DecodeSettings(overwrite=True))
    assert (tmp_path / "there.mp4").read_bytes() == b"precious"


def test_info_adds_up(encode: Encode, with_audio: Path) -> None:
    coded, summary = encode(with_audio, intra_period=16)
    info = read_info(coded)
    assert info.pictures == summary.pictures and info.payload_bytes == summary.payload_bytes
    assert info.duration == pytest.approx(summary.duration) and info.bitrate == pytest.approx(summary.bitrate)
    assert sum(info.payload_bytes.values()) + info.overhead_bytes == coded.stat().st_size
    assert [key.frame_number for key in info.key_frames] == list(range(0, summary.pictures, 16))
    assert [key.time for key in info.key_frames] == pytest.approx([n / 25 for n in range(0, summary.pictures, 16)])


@pytest.mark.parametrize("settings", [{"start": -1.0}, {"duration": 0.0}, {"frames": 0}])
def test_settings_out_of_range(settings: dict[str, float]) -> None:
    (field,) = settings
    with pytest.raises(UsageError, match=rf"^{field} "):
        dataclasses.replace(DecodeSettings(), **settings)
