from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from fractions import Fraction
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleflow.codec.container import AudioStream, SfvHeader
from scaleflow.codec.container.header import (
    MOST_AUDIO_STREAMS,
    PRELUDE_SIZE,
    VERSION,
    Key,
    VideoKey,
    parse_header,
)
from scaleflow.codec.picture import VideoProperties
from scaleflow.errors import DataError
from scaleflow.stream_mark import MAGIC

_text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
_name = _text.filter(bool)
_size = st.integers(1, 2**31 - 1)
_fraction = st.builds(Fraction, _size, _size)

_videos = st.builds(
    VideoProperties,
    width=st.integers(1, 16384),
    height=st.integers(1, 16384),
    pixel_format=_name,
    bit_depth=st.sampled_from([8, 10]),
    frame_rate=_fraction,
    time_base=_fraction,
    color_matrix=_name,
    color_range=_name,
    color_primaries=_name,
    color_transfer=_name,
    sample_aspect_ratio=_fraction,
    rotation=st.sampled_from([0, 90, 180, 270]),
    working_format=st.sampled_from(["yuv420", "rgb"]),
)
_audio = st.builds(
    AudioStream,
    codec=_name,
    extradata=st.binary(max_size=300),
    time_base=_fraction,
    sample_rate=st.integers(1, 10_000_000),
    channel_layout=_text,
    channels=st.integers(1, 255),
    sample_format=_text,
    language=_text,
)
_headers = st.builds(
    SfvHeader,
    model=_name,
    weights_hash=st.binary(min_size=32, max_size=32).map(bytes.hex),
    video=_videos,
    precision=_name,
    intra_period=st.integers(0, 2**31 - 1),
    audio=st.lists(_audio, max_size=3).map(tuple),
    software=_text,
    features=st.sampled_from([(), ("presence",)]),
)


def _file_start(body: bytes, *, version: int = VERSION, length: int | None = None) -> bytes:
    start = MAGIC + struct.pack("<BI", version, len(body) if length is None else length) + body
    return start + struct.pack("<I", zlib.crc32(start))


def _map_of(header: SfvHeader) -> dict[Any, Any]:
    entries = cbor2.loads(header.to_bytes()[PRELUDE_SIZE:-4])
    assert isinstance(entries, dict)
    return entries


@given(_headers)
def test_headers_come_back(header: SfvHeader) -> None:
    assert parse_header(header.to_bytes()) == header


@given(st.binary(max_size=200))
def test_arbitrary_bytes_as_header_raise_only_data_error(body: bytes) -> None:
    with pytest.raises(DataError):
        parse_header(_file_start(body))


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.text(max_size=5) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(0, 12) | st.text(max_size=3), inner),
    max_leaves=10,
)


@given(st.data())
def test_wrong_types_and_ranges_raise_only_data_error(header: SfvHeader, data: st.DataObject) -> None:
    entries = _map_of(header)
    target = data.draw(st.sampled_from([entries, entries[Key.VIDEO], entries[Key.AUDIO][0]]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(_values)
    try:
        changed = parse_header(_file_start(cbor2.dumps(entries)))
    except DataError:
        return
    assert parse_header(changed.to_bytes()) == changed


def test_unknown_keys_are_ignored(header: SfvHeader) -> None:
    entries = _map_of(header)
    entries[99] = [1, {"later": b"x"}]
    entries["note"] = "from the future"
    entries[Key.VIDEO][77] = "hdr"
    assert parse_header(_file_start(cbor2.dumps(entries))) == header


def test_unknown_required_features_are_refused(header: SfvHeader) -> None:
    entries = _map_of(header) | {int(Key.REQUIRED): ["bidirectional"]}
    with pytest.raises(DataError, match=r"needs bidirectional.*update scaleflow"):
        parse_header(_file_start(cbor2.dumps(entries)))


@pytest.mark.parametrize("names", [[[]], [{}], [1], [None], ["presence", "bidirectional"]])
def test_features_that_are_none_are_refused(header: SfvHeader, names: list[Any]) -> None:
    entries = _map_of(header) | {int(Key.REQUIRED): names}
    with pytest.raises(DataError, match=r"the file needs .*update scaleflow"):
        parse_header(_file_start(cbor2.dumps(entries)))


def test_a_feature_that_is_known_is_read(header: SfvHeader) -> None:
    entries = _map_of(header) | {int(Key.REQUIRED): ["presence"]}
    assert parse_header(_file_start(cbor2.dumps(entries))).features == ("presence",)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "not an .sfv file"),
        (b"\x93SFV\n\x1a\n" + bytes(20), "binary mode"),
        (b"\x13SFV\r\n\x1a\n" + bytes(20), "binary mode"),
        (MAGIC[:5], "truncated header"),
        (_file_start(b"\xa0", version=9), "version 9, this reader knows 1: update scaleflow"),
        (_file_start(b"\xa0", length=1 << 30), "header length 1073741824 exceeds"),
        (_file_start(b"\xa0")[:-1], "truncated header"),
        (_file_start(b"\xa0"), "lacks the weights hash"),
        (_file_start(b"\x80"), "not a map"),
        (_file_start(b"\x81" * 50 + b"\x80"), "nested deeper"),
        (_file_start(b"\xbf\xff"), "unknown length"),
        (_file_start(b"\xc4\x82\x1a\x7f\xff\xff\xff\x01"), "tag"),
        (_file_start(b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff"), "declares"),
        (_file_start(b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff"), "declares"),
        (_file_start(b"\xa0\x00"), "after its end"),
        (_file_start(b"\xa1\x80\x00"), "not valid CBOR|lacks"),
    ],
)
def test_bad_starts_are_named(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_header(data)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (VideoKey.WIDTH, 2**40, "width"),
        (VideoKey.WIDTH, 0, "width"),
        (VideoKey.HEIGHT, True, "height"),
        (VideoKey.BIT_DEPTH, 9, "bit depth"),
        (VideoKey.FRAME_RATE, [25, 0], "frame rate"),
        (VideoKey.FRAME_RATE, [25], "frame rate"),
        (VideoKey.TIME_BASE, [-1, 25], "time base"),
        (VideoKey.ROTATION, 45, "rotation"),
        (VideoKey.PIXEL_FORMAT, "", "pixel format"),
        (VideoKey.PIXEL_FORMAT, "a\nb", "pixel format"),
        (VideoKey.COLOR_MATRIX, "x" * 300, "color matrix"),
        (VideoKey.WORKING_FORMAT, "xyz", "working format"),
    ],
)
def test_video_properties_are_held_to_their_ranges(header: SfvHeader, key: int, value: Any, message: str) -> None:
    entries = _map_of(header)
    entries[Key.VIDEO][int(key)] = value
    with pytest.raises(DataError, match=message):
        parse_header(_file_start(cbor2.dumps(entries)))


def test_a_writer_refuses_what_a_reader_would(header: SfvHeader) -> None:
    for changes in (
        {"weights_hash": "12"},
        {"model": ""},
        {"intra_period": -1},
        {"audio": header.audio * (MOST_AUDIO_STREAMS + 1)},
        {"audio": (replace(header.audio[0], extradata=bytes(1 << 20)),)},
        {"video": replace(header.video, time_base=Fraction(1, 2**40))},
    ):
        with pytest.raises(DataError):
            replace(header, **changes)


def test_the_header_is_small(header: SfvHeader) -> None:
    video = replace(
        header.video, frame_rate=Fraction(30000, 1001), time_base=Fraction(1, 30000), color_primaries="bt709"
    )
    assert len(replace(header, video=video, audio=()).to_bytes()) <= 150
