"""Encoding whole files."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from scaleflow.codec.container import AudioPacket, SfvReader, VideoPacket
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.frame_coder import FrameDecoder
from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError, UsageError
from tests.codec.conftest import packaged_clip
from tests.codec.stand_in import StandInModel

Encode = Callable[..., tuple[Path, object]]


def packets(path: Path) -> list[VideoPacket]:
    with SfvReader(path) as reader:
        return [item for item in reader if isinstance(item, VideoPacket)]


def key_numbers(path: Path) -> list[int]:
    return [packet.frame_number for packet in packets(path) if packet.kind == "intra"]


def folder_of(path: Path) -> list[str]:
    return sorted(file.name for file in path.iterdir())


def test_what_is_decoded_is_what_the_encoder_had(encode: Encode, carphone: Path, model: StandInModel) -> None:
    path, summary = encode(carphone, quality=63.0, intra_quality_offset=0.0, frames=20, measure=True)
    with SfvReader(path) as reader, open_video(carphone) as original:
        decoder = FrameDecoder(model, width=88, height=72)
        for packet, picture in zip(reader, original, strict=False):
            assert isinstance(packet, VideoPacket)
            planes = decoder.decode(packet.payload, key=packet.kind == "intra")
            # The stand-in's step at quality 63 is one code value.
            assert all(np.array_equal(ours, theirs) for ours, theirs in zip(planes, picture.planes, strict=True))
    assert (summary.pictures, summary.psnr_yuv) == (20, 100.0)


def test_summary_counts_the_whole_file(encode: Encode, with_audio: Path) -> None:
    path, summary = encode(with_audio)
    size = path.stat().st_size
    assert summary.file_bytes == size
    assert summary.bitrate == pytest.approx(8 * size / summary.duration)
    assert summary.bits_per_pixel == pytest.approx(8 * size / (96 * 54 * summary.pictures))
    kinds = {"intra": 0, "inter": 0, "audio": 0}
    with SfvReader(path) as reader:
        for item in reader:
            if isinstance(item, VideoPacket | AudioPacket):
                kinds[item.kind if isinstance(item, VideoPacket) else "audio"] += len(item.payload)
    assert summary.payload_bytes == kinds and min(kinds.values()) > 0


def test_key_frames_come_at_the_period_and_at_times_asked_for(encode: Encode, carphone: Path) -> None:
    path, _ = encode(carphone, intra_period=16, key_times=(1.0, 1.35), frames=60)
    # 20 pictures a second; the period starts anew at each key frame.
    assert key_numbers(path) == [0, 16, 20, 27, 43, 59]


def test_key_frames_at_cuts(encode: Encode) -> None:
    path, _ = encode(packaged_clip("bikes.mp4"), frames=80, intra_period=0)
    assert key_numbers(path) == [0, 30, 76]
    path, _ = encode(packaged_clip("bikes.mp4"), "uncut.sfv", frames=80, intra_period=0, scene_cut=False)
    assert key_numbers(path) == [0]


def test_key_frames_have_a_higher_quality(encode: Encode, carphone: Path) -> None:
    path, _ = encode(carphone, quality=30.0, intra_quality_offset=6.0, quality_cascade=(-2.0, 3.0), frames=4)
    steps = [int.from_bytes(packet.payload[:4], "big") / 64 for packet in packets(path)]
    assert steps == pytest.approx([2 ** ((63 - quality) / 9) for quality in (36, 28, 33, 28)], rel=0.01)


def test_workers_make_the_same_bytes(encode: Encode, with_audio: Path) -> None:
    alone, _ = encode(with_audio, "alone.sfv", intra_period=8, key_times=(0.5,), verify=True)
    shared, _ = encode(with_audio, "shared.sfv", intra_period=8, key_times=(0.5,), verify=True, workers=2)
    assert alone.read_bytes() == shared.read_bytes()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_decoder_that_drifts_is_found_and_nothing_is_left(tmp_path: Path, carphone: Path, workers: int) -> None:
    settings = EncodeSettings(quality=40, verify=True, frames=6, intra_period=3, workers=workers)
    with pytest.raises(DataError, match=r"verification failed: the picture at 0\.\d+ s decodes differently"):
        encode_file(carphone, tmp_path / "coded.sfv", StandInModel(drifts=True), settings)
    assert folder_of(tmp_path) == []
    encode_file(carphone, tmp_path / "coded.sfv", StandInModel(drifts=True), EncodeSettings(quality=40, frames=6))


def test_a_failure_leaves_what_was_there(tmp_path: Path, carphone: Path) -> None:
    path = tmp_path / "coded.sfv"
    path.write_bytes(b"precious")
    with pytest.raises(DataError, match="fails here"):
        encode_file(carphone, path, StandInModel(fails_at=5), EncodeSettings(quality=40, overwrite=True))
    assert folder_of(tmp_path) == ["coded.sfv"] and path.read_bytes() == b"precious"


def test_an_output_that_exists_is_kept(encode: Encode, carphone: Path) -> None:
    path, _ = encode(carphone, frames=2)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        encode(carphone, frames=3)
    assert path.read_bytes() == before
    encode(carphone, frames=3, overwrite=True)
    assert path.read_bytes() != before


def test_the_input_is_never_the_output(carphone: Path, model: StandInModel, tmp_path: Path) -> None:
    link = tmp_path / "link.sfv"
    link.symlink_to(carphone)
    with pytest.raises(UsageError, match="input itself"):
        encode_file(carphone, link, model, EncodeSettings(quality=40, overwrite=True))
    assert link.is_symlink() and carphone.stat().st_size > 0


@pytest.mark.parametrize("pictures", [5, 16, 21])
def test_interruption_keeps_complete_groups(tmp_path: Path, carphone: Path, model: StandInModel, pictures: int) -> None:
    path = tmp_path / "coded.sfv"
    settings = EncodeSettings(quality=40, intra_period=8)
    summary = encode_file(carphone, path, model, settings, stop=lambda: model.encoded >= pictures)
    # The first group is kept even where it is not complete: there is nothing else.
    expected = {5: 5, 16: 16, 21: 16}[pictures]
    assert summary.interrupted and summary.pictures == expected
    assert [packet.frame_number for packet in packets(path)] == list(range(expected))
    with SfvReader(path) as reader:
        assert len(reader.key_frames) == summary.key_frames
    assert summary.file_bytes == path.stat().st_size


def test_interrupted_workers_keep_complete_groups(tmp_path: Path, carphone: Path, model: StandInModel) -> None:
    path = tmp_path / "coded.sfv"
    seen: list[int] = []
    settings = EncodeSettings(quality=40, intra_period=8, workers=2)
    summary = encode_file(
        carphone, path, model, settings, progress=lambda now: seen.append(now.pictures), stop=lambda: len(seen) >= 3
    )
    assert summary.interrupted and 8 <= summary.pictures < 120 and summary.pictures % 8 == 0
    assert len(packets(path)) == summary.pictures


def test_times_of_uneven_video_are_kept(encode: Encode, uneven: Path) -> None:
    path, _ = encode(uneven)
    with open_video(uneven) as reader:
        wanted = [picture.pts for picture in reader]
        assert len({b - a for a, b in pairwise(wanted)}) > 1
    assert [packet.pts for packet in packets(path)] == wanted


def test_an_excerpt_starts_at_zero_with_its_audio(encode: Encode, with_audio: Path) -> None:
    path, summary = encode(with_audio, start=1.0, duration=1.2)
    pictures = packets(path)
    with SfvReader(path) as reader:
        audio = [item for item in reader if isinstance(item, AudioPacket)]
        time_base, audio_base = reader.header.video.time_base, reader.header.audio[0].time_base
    assert summary.pictures == 30
    assert [packet.pts * time_base for packet in pictures] == [Fraction(n, 25) for n in range(30)]
    assert 0 <= audio[0].pts * audio_base < 0.05 and 1.1 < audio[-1].pts * audio_base < 1.2


def test_an_excerpt_without_pictures_is_refused(tmp_path: Path, carphone: Path, model: StandInModel) -> None:
    with pytest.raises(DataError, match="no picture from 99 s on"):
        encode_file(carphone, tmp_path / "coded.sfv", model, EncodeSettings(quality=40, start=99))
    assert folder_of(tmp_path) == []


def test_progress_names_every_picture(tmp_path: Path, carphone: Path, model: StandInModel) -> None:
    seen = []
    encode_file(carphone, tmp_path / "c.sfv", model, EncodeSettings(quality=40, frames=9), progress=seen.append)
    assert [now.pictures for now in seen] == list(range(1, 10)) and {now.total for now in seen} == {9}
