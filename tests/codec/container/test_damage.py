from __future__ import annotations

import io
import struct
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleflow.codec.container import AudioPacket, DamagedRegion, Item, SfvHeader, SfvReader, SfvWriter, VideoPacket
from scaleflow.codec.container.packet_format import KEY_MARKER, write_key
from scaleflow.codec.container.varint import write_signed, write_varint
from scaleflow.errors import DataError


def _read(data: bytes) -> list[Item]:
    return list(SfvReader(io.BytesIO(data)))


def _pictures(items: list[Item], *, decodable: bool = True) -> dict[int, VideoPacket]:
    found = [item for item in items if isinstance(item, VideoPacket) and item.decodable >= decodable]
    return {item.frame_number: item for item in found}


def _sounds(items: list[Item]) -> list[tuple[object, ...]]:
    return [(a.pts, a.dts, a.duration, a.flags, a.payload) for a in items if isinstance(a, AudioPacket) and a.timed]


def _damage(items: list[Item]) -> list[DamagedRegion]:
    return [item for item in items if isinstance(item, DamagedRegion)]


def _assert_only_true_things(items: list[Item], original: list[Item]) -> None:
    """What is delivered as sound is as it was written, and in its place."""
    true_pictures = _pictures(original)
    for number, picture in _pictures(items).items():
        expected = true_pictures[number]
        assert (picture.kind, picture.pts, picture.payload) == (expected.kind, expected.pts, expected.payload)
    assert set(_sounds(items)) <= set(_sounds(original))


def test_truncation_anywhere_is_noticed(header: SfvHeader, small_file: bytes) -> None:
    original = _read(small_file)
    for size in range(len(small_file)):
        if size < len(header.to_bytes()):
            with pytest.raises(DataError, match=r"truncated header|empty"):
                _read(small_file[:size])
            continue
        items = _read(small_file[:size])
        assert _damage(items), size
        _assert_only_true_things(items, original)


@pytest.mark.parametrize("change", [0x01, 0x10, 0x60, 0x80, 0xFF])
def test_a_changed_byte_anywhere_is_noticed_and_costs_one_group(
    header: SfvHeader, small_file: bytes, change: int
) -> None:
    original = _read(small_file)
    groups = [set(range(start, start + 5)) for start in (0, 5, 10)]
    for position in range(len(small_file)):
        data = bytearray(small_file)
        data[position] ^= change
        if position < len(header.to_bytes()):
            with pytest.raises(DataError):
                _read(bytes(data))
            continue
        items = _read(bytes(data))
        assert _damage(items), position
        _assert_only_true_things(items, original)
        intact = _pictures(items).keys()
        assert sum(not group <= intact for group in groups) <= 1, position


@given(st.data())
def test_missing_and_foreign_bytes_are_noticed(small_file: bytes, header: SfvHeader, data: st.DataObject) -> None:
    begin = data.draw(st.integers(len(header.to_bytes()), len(small_file) - 1))
    end = data.draw(st.integers(begin, min(begin + 60, len(small_file))))
    foreign = data.draw(st.binary(max_size=80))
    changed = small_file[:begin] + foreign + small_file[end:]
    if changed == small_file:
        return
    items, original = _read(changed), _read(small_file)
    if _damage(items):
        _assert_only_true_things(items, original)
    else:  # only whole audio packets are missing, which may happen without a trace
        assert _pictures(items).keys() == _pictures(original).keys()


def test_damage_in_one_inter_packet_is_named_and_the_next_group_is_whole(small_file: bytes) -> None:
    original = _read(small_file)
    second = _pictures(original)[1]
    data = bytearray(small_file)
    data[second.offset + 8] ^= 0xFF
    items = _read(bytes(data))
    (damage,) = _damage(items)
    assert (damage.offset, damage.kind, damage.pts) == (second.offset, "inter", 1)
    assert damage.length > 0
    assert "checksum" in damage.reason
    assert sorted(_pictures(items)) == [0, *range(5, 15)]
    # The rest of the group is there, said to be undecodable, and its times are right.
    assert _pictures(items, decodable=False)[4].pts == 4
    assert not _pictures(items, decodable=False)[4].decodable
    assert _sounds(items)[-5:] == _sounds(original)[-5:]


def test_damage_in_audio_costs_no_picture(small_file: bytes) -> None:
    original = _read(small_file)
    sound = next(item for item in original if isinstance(item, AudioPacket))
    data = bytearray(small_file)
    data[sound.offset + 3] ^= 0x55
    items = _read(bytes(data))
    (damage,) = _damage(items)
    assert (damage.kind, damage.pts) == ("audio", None)
    assert _pictures(items).keys() == _pictures(original).keys()


@pytest.mark.parametrize(("first", "after"), [(0, "not a key frame"), (1, "4"), (4, "5")])
def test_a_packet_that_is_cut_out_is_missed(small_file: bytes, first: int, after: str) -> None:
    original = _read(small_file)
    offsets = sorted({item.offset for item in original if not isinstance(item, DamagedRegion)})
    pictures = _pictures(original)
    begin = pictures[first].offset
    end = next(offset for offset in offsets if offset > begin)
    items = _read(small_file[:begin] + small_file[end:])
    assert _damage(items)[0].reason == f"picture {first} is missing: the next is {after}"
    assert not set(range(first, 5)) & _pictures(items).keys()
    assert set(range(5, 15)) <= _pictures(items).keys()


def test_a_lost_key_frame_makes_its_group_undecodable(small_file: bytes) -> None:
    key = _pictures(_read(small_file))[5]
    data = bytearray(small_file)
    data[key.offset] ^= 0xFF
    items = _read(bytes(data))
    assert sorted(_pictures(items)) == [*range(5), *range(10, 15)]


def test_bytes_after_the_end_are_noticed(small_file: bytes) -> None:
    (damage,) = _damage(_read(small_file + b"x"))
    assert "more bytes follow" in damage.reason
    assert damage.offset == len(small_file)


def test_a_marker_within_a_payload_is_no_picture(header: SfvHeader) -> None:
    inner = write_key(b"not a picture of this file", 3, 3)
    stream = io.BytesIO()
    with SfvWriter(stream, header) as writer:
        writer.write_video(b"start" + KEY_MARKER + inner[:-1], "intra", 0)
        writer.write_video(b"next", "intra", 1)
    data = bytearray(stream.getvalue())
    data[len(header.to_bytes()) + len(KEY_MARKER) + 6] ^= 1
    items = _read(bytes(data))
    assert [picture.payload for picture in _pictures(items).values()] == [b"next"]


def test_a_declared_length_allocates_nothing(header: SfvHeader) -> None:
    for tag in (0xA0, 0xC0):
        for length in (2**28, 2**63):
            data = header.to_bytes() + bytes([tag]) + write_varint(length) + b"few bytes"
            (damage, end) = _read(data)
            assert isinstance(damage, DamagedRegion)
            assert isinstance(end, DamagedRegion)


def test_bogus_heads_by_the_thousand_take_no_time(header: SfvHeader) -> None:
    """Each head claims all that follows; checking every claim would take the square of the file's size."""
    head = KEY_MARKER + write_varint(80_000) + write_signed(0) + write_varint(0)
    head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    inter = bytes([0xA0]) + write_varint(80_000)
    for bogus in (head, write_key(b"", 0, 0) + inter):
        start = time.monotonic()
        _read(header.to_bytes() + bogus * 30_000)
        assert time.monotonic() - start < 10


@given(st.binary(max_size=400))
def test_arbitrary_bytes_after_the_header_raise_nothing(header: SfvHeader, data: bytes) -> None:
    items = _read(header.to_bytes() + data)
    assert isinstance(items[-1], DamagedRegion)


def _packets(header: SfvHeader) -> tuple[bytes, list[tuple[int, int]]]:
    """Two groups of nine pictures, two inter pictures a packet, and where the packets of the first begin and end."""
    stream = io.BytesIO()
    with SfvWriter(stream, header, pictures_per_packet=2) as writer:
        for number in range(18):
            writer.write_video(b"picture %d" % number, "inter" if number % 9 else "intra", number)
    data = stream.getvalue()
    starts = sorted({picture.offset for picture in _pictures(_read(data)).values()})
    return data, [(starts[index], starts[index + 1]) for index in range(1, 5)]


def test_packets_in_the_wrong_order_cost_their_group_and_no_times(header: SfvHeader) -> None:
    data, ((first, second), (_, third), *_) = _packets(header)
    items = _read(data[:first] + data[second:third] + data[first:second] + data[third:])
    pictures = _pictures(items, decodable=False)
    assert set(pictures) == {0, *range(3, 18)}  # 1 and 2 came late
    assert [picture.pts for picture in pictures.values()] == list(pictures)
    assert set(_pictures(items)) == {0, *range(9, 18)}
    assert len(_damage(items)) == 1


def test_a_packet_that_comes_twice_costs_nothing(header: SfvHeader) -> None:
    data, ((first, second), *_) = _packets(header)
    items = _read(data[:second] + data[first:second] + data[second:])
    assert set(_pictures(items)) == set(range(18))
    assert [damage.reason for damage in _damage(items)] == ["disorder: pictures come again"]
