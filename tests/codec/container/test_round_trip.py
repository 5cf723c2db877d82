from __future__ import annotations

import io
import os
import threading
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaleflow.codec.container import (
    AudioPacket,
    DamagedRegion,
    Item,
    KeyFrame,
    SfvHeader,
    SfvReader,
    SfvWriter,
    VideoPacket,
    measure,
)
from scaleflow.codec.container.packet_format import LARGEST_TIME
from scaleflow.errors import UsageError

_time = st.integers(-LARGEST_TIME, LARGEST_TIME)
_optional_time = st.none() | _time
_picture = st.tuples(
    st.sampled_from(["intra", "inter"]),
    st.one_of(st.just(None), st.integers(-1000, 1000), _time),
    st.binary(max_size=300),
)
_sound = st.tuples(
    st.just("audio"),
    st.tuples(_optional_time, _optional_time, st.none() | st.integers(0, LARGEST_TIME), st.integers(0, 2**32 - 1)),
    st.binary(max_size=50),
)


def _read(data: bytes) -> list[Item]:
    return list(SfvReader(io.BytesIO(data)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(_picture | _sound, max_size=40),
    per_packet=st.integers(1, 16),
    rate=st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(1, 3)]),
    base=st.sampled_from([Fraction(1, 1000), Fraction(1, 90000), Fraction(1, 25), Fraction(7)]),
)
def test_packets_come_back(
    header: SfvHeader, events: list[tuple[str, object, bytes]], per_packet: int, rate: Fraction, base: Fraction
) -> None:
    header = replace(header, video=replace(header.video, frame_rate=rate, time_base=base))
    stream = io.BytesIO()
    writer = SfvWriter(stream, header, pictures_per_packet=per_packet)
    pictures: list[tuple[str, int, bytes]] = []
    sounds: list[tuple[object, bytes]] = []
    for kind, time, payload in events:
        if kind == "audio":
            assert isinstance(time, tuple)
            writer.write_audio(0, *time, payload)
            sounds.append((time, payload))
        else:
            kind = kind if pictures else "intra"
            pts = time if isinstance(time, int) else round(len(pictures) / (rate * base))
            writer.write_video(payload, kind, pts)  # type: ignore[arg-type]
            pictures.append((kind, pts, payload))
    writer.close()
    items = _read(stream.getvalue())
    video = [item for item in items if isinstance(item, VideoPacket)]
    audio = [item for item in items if isinstance(item, AudioPacket)]
    assert len(video) + len(audio) == len(items)
    assert [(item.kind, item.pts, item.payload) for item in video] == pictures
    assert [item.frame_number for item in video] == list(range(len(pictures)))
    assert all(item.decodable for item in video)
    assert [((item.pts, item.dts, item.duration, item.flags), item.payload) for item in audio] == sounds
    keys = [KeyFrame(item.pts, item.frame_number, item.offset) for item in video if item.kind == "intra"]
    assert list(SfvReader(io.BytesIO(stream.getvalue())).key_frames) == keys


@pytest.mark.parametrize(
    ("rate", "base"),
    [(Fraction(30000, 1001), Fraction(1, 1000)), (Fraction(25), Fraction(1, 25)), (Fraction(60), Fraction(1, 90000))],
)
@pytest.mark.parametrize("size", [255, 435])
def test_regular_inter_pictures_cost_under_one_percent(
    header: SfvHeader, rate: Fraction, base: Fraction, size: int
) -> None:
    """0.02 bit a pixel is 253 bytes a picture at 352x288 and 435 at 640x272."""
    header = replace(header, audio=(), video=replace(header.video, frame_rate=rate, time_base=base))
    stream = io.BytesIO()
    frames = 960
    payload_bytes = 0
    with SfvWriter(stream, header) as writer:
        for number in range(frames):
            payload = bytes(size * 3 // 4 + number * 37 % (size // 2) if number % 32 else size * 6)
            payload_bytes += len(payload)
            writer.write_video(payload, "inter" if number % 32 else "intra", round(number / (rate * base)))
    overhead = len(stream.getvalue()) - payload_bytes
    assert overhead < 0.01 * payload_bytes
    assert (overhead - len(header.to_bytes())) / frames < 3.5
    assert measure(SfvReader(io.BytesIO(stream.getvalue()))).overhead_bytes == overhead


def test_statistics_account_for_every_byte(small_file: bytes) -> None:
    statistics = measure(SfvReader(io.BytesIO(small_file)))
    assert statistics.counts == {"intra": 3, "inter": 12, "audio": 7}
    assert statistics.payload_bytes["audio"] == 7 * 6
    assert (
        sum(statistics.payload_bytes.values()) + statistics.overhead_bytes == statistics.file_bytes == len(small_file)
    )
    assert statistics.pts_range == (0, 14)
    assert statistics.damaged == []


def test_a_pipe_delivers_pictures_as_they_are_written(header: SfvHeader, small_file: bytes) -> None:
    incoming, outgoing = os.pipe()
    with open(incoming, "rb") as source, open(outgoing, "wb") as sink:
        writer = SfvWriter(sink, header, pictures_per_packet=1)
        writer.write_video(b"first", "intra", 0)
        reader = SfvReader(source)
        first = next(reader)  # would wait for ever if the writer held it back, or the reader wanted more than is there
        assert isinstance(first, VideoPacket)
        assert first.payload == b"first"
        with pytest.raises(UsageError, match="pipe"):
            reader.seek_to_key_frame(0)
        with pytest.raises(UsageError, match="pipe"):
            _ = reader.key_frames
        writer.close()
        sink.close()
        assert list(reader) == []
        assert [key.pts for key in reader.key_frames] == [0]


def test_a_pipe_gives_what_the_file_gives(small_file: bytes) -> None:
    incoming, outgoing = os.pipe()
    with open(incoming, "rb") as source, open(outgoing, "wb", buffering=0) as sink:

        def feed() -> None:
            for start in range(0, len(small_file), 7):
                sink.write(small_file[start : start + 7])
            sink.close()

        thread = threading.Thread(target=feed)
        thread.start()
        items = list(SfvReader(source))
        thread.join()
    assert items == _read(small_file)
    assert not any(isinstance(item, DamagedRegion) for item in items)


def test_a_stream_may_begin_inside_another(small_file: bytes) -> None:
    stream = io.BytesIO(b"prefix" + small_file)
    stream.seek(6)
    reader = SfvReader(stream)
    assert reader.seek_to_key_frame(5).frame_number == 5
    assert next(reader) == next(item for item in _read(small_file) if isinstance(item, VideoPacket) and item.pts == 5)
