"""Both readers find the same pictures and sounds in sound and in altered files."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass

import pytest

from scaleflow.codec.container import AudioPacket, DamagedRegion, SfvReader, VideoPacket
from scaleflow.errors import DataError
from tests.fuzz.streams import altered_stream
from tests.second_decoder.fields import Damage
from tests.second_decoder.stream import read_stream


@dataclass(frozen=True)
class Found:
    """What is comparable of a file."""

    pictures: list[tuple[int, int, bool, bytes]]
    audio: list[tuple[object, ...]]
    is_sound: bool


def first_reader(data: bytes) -> Found | None:
    """None where the header is refused."""
    try:
        reader = SfvReader(io.BytesIO(data))
    except DataError:
        return None
    items = list(reader)
    pictures = [item for item in items if isinstance(item, VideoPacket) and item.decodable]
    audio = [item for item in items if isinstance(item, AudioPacket)]
    return Found(
        [(item.frame_number, item.pts, item.kind == "intra", item.payload) for item in pictures],
        [
            (item.stream_index, item.payload, *((item.flags, item.pts, item.dts, item.duration) if item.timed else ()))
            for item in audio
        ],
        not any(isinstance(item, DamagedRegion) for item in items),
    )


def second_reader(data: bytes) -> Found | None:
    """The same."""
    try:
        stream = read_stream(data)
    except Damage:
        return None
    audio = [
        (
            sound.stream,
            sound.payload,
            *((t.flags, t.presentation, t.decoding, t.duration) if (t := sound.times) is not None else ()),
        )
        for sound in stream.audio
    ]
    return Found(
        [(picture.number, picture.time, picture.key, picture.payload) for picture in stream.pictures],
        audio,
        not stream.faults,
    )


@pytest.mark.parametrize("seed", range(20))
def test_altered_files(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(20):
        data = altered_stream(source)
        assert second_reader(data) == first_reader(data)
