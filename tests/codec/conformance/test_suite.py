"""The streams that come with ScaleFlow, without decoding them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from scaleflow.codec.conformance.check import hash_audio
from scaleflow.codec.conformance.expected_samples import hash_samples, read_samples, write_samples
from scaleflow.codec.conformance.suite import EXPECTATIONS, SUITE_FOLDER, choose_streams, read_suite
from scaleflow.codec.container import AudioPacket, SfvReader, VideoPacket
from scaleflow.codec.models.released_weights import RELEASED_WEIGHTS
from scaleflow.codec.picture import Planes, VideoProperties
from scaleflow.errors import DataError, UsageError

SUITE = read_suite()
HEADERS = {stream.name: SfvReader(stream.stream_file(SUITE_FOLDER)).header for stream in SUITE}


def test_files_are_those_that_are_listed_and_small() -> None:
    files = {file.name for file in SUITE_FOLDER.iterdir()}
    listed = {place(SUITE_FOLDER).name for stream in SUITE for place in (stream.stream_file, stream.samples_file)}
    assert files == listed | {EXPECTATIONS}
    assert sum(file.stat().st_size for file in SUITE_FOLDER.iterdir()) < 800_000


def test_every_feature_is_there() -> None:
    videos = [header.video for header in HEADERS.values()]
    assert {(header.precision, header.video.bit_depth) for header in HEADERS.values()} == {
        ("fp32", 8),
        ("fp32", 10),
        ("bf16", 8),
        ("bf16", 10),
    }
    assert any(video.width % 2 and video.height % 2 for video in videos)
    assert {header.intra_period for header in HEADERS.values()} >= {1, 4, 32}
    assert {RELEASED_WEIGHTS[header.weights_hash].name for header in HEADERS.values()} == {
        released.name for released in RELEASED_WEIGHTS.values()
    }
    assert len(HEADERS["audio"].audio) == 2
    uneven = next(stream for stream in SUITE if stream.name == "variable-rate")
    assert len(set(np.diff(uneven.times))) > 2
    with SfvReader(SUITE_FOLDER / "scene-cuts.sfv") as reader:
        keys = [item.frame_number for item in reader if isinstance(item, VideoPacket) and item.kind == "intra"]
    assert keys == [0, 5, 10]


@pytest.mark.parametrize("stream", SUITE, ids=lambda stream: stream.name)
def test_what_is_expected_agrees_with_the_files(stream) -> None:  # type: ignore[no-untyped-def]
    header = HEADERS[stream.name]
    assert (header.precision, header.video.bit_depth) == (stream.precision, stream.bit_depth)
    assert RELEASED_WEIGHTS[header.weights_hash].name == stream.weights
    pictures = read_samples(stream.samples_file(SUITE_FOLDER), header.video, len(stream.times))
    assert hash_samples(pictures) == stream.samples
    with SfvReader(stream.stream_file(SUITE_FOLDER)) as reader:
        items = list(reader)
    assert [item.pts for item in items if isinstance(item, VideoPacket)] == list(stream.times)
    assert hash_audio([item for item in items if isinstance(item, AudioPacket)]) == stream.audio


def pictures_of(video: VideoProperties, count: int) -> list[Planes]:
    random = np.random.default_rng(3)
    kind = np.uint8 if video.bit_depth == 8 else np.uint16
    half = ((video.height + 1) // 2, (video.width + 1) // 2)
    shapes = [(video.height, video.width), half, half]
    return [
        tuple(random.integers(0, 1 << video.bit_depth, shape).astype(kind) for shape in shapes) for _ in range(count)
    ]


@pytest.mark.parametrize(("width", "height", "depth"), [(1, 1, 8), (5, 4, 10), (9, 7, 8)])
def test_samples_come_back(width: int, height: int, depth: int, tmp_path: Path) -> None:
    from fractions import Fraction

    video = VideoProperties(width, height, "yuv420p", depth, Fraction(25), Fraction(1, 25))
    pictures, place = pictures_of(video, 3), tmp_path / "a.xz"
    write_samples(place, pictures)
    for ours, theirs in zip(read_samples(place, video, 3), pictures, strict=True):
        for plane, wanted in zip(ours, theirs, strict=True):
            assert plane.dtype == wanted.dtype and (plane == wanted).all()
    with pytest.raises(DataError, match="4 pictures"):
        read_samples(place, video, 4)
    place.write_bytes(b"nothing")
    with pytest.raises(DataError, match="xz"):
        read_samples(place, video, 3)


def test_other_lists_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_suite(tmp_path)
    place = tmp_path / EXPECTATIONS
    place.write_text(json.dumps({"format": "other"}))
    with pytest.raises(DataError, match="'other'"):
        read_suite(tmp_path)
    shutil.copy(SUITE_FOLDER / EXPECTATIONS, place)
    content = json.loads(place.read_text())
    content["streams"][0]["name"] = "../outside"
    place.write_text(json.dumps(content))
    with pytest.raises(DataError, match="outside"):
        read_suite(tmp_path)


def test_streams_are_chosen_by_name_and_precision() -> None:
    assert [stream.name for stream in choose_streams(SUITE, ("still", "plain"))] == ["plain", "still"]
    assert {stream.precision for stream in choose_streams(SUITE, (), "bf16")} == {"bf16"}
    with pytest.raises(UsageError, match="stream 'unknown'"):
        choose_streams(SUITE, ("unknown",))
    with pytest.raises(UsageError, match="precision bf16"):
        choose_streams(SUITE, ("plain",), "bf16")
