from __future__ import annotations

import io
from pathlib import Path

import pytest

from scaleflow.codec.container import (
    AudioPacket,
    DamagedRegion,
    KeyFrame,
    KeyFrameIndex,
    SfvHeader,
    SfvReader,
    SfvWriter,
    VideoPacket,
)
from scaleflow.codec.container.index import TRAILER_SIZE, EndBody, parse_trailer, write_trailer
from scaleflow.codec.container.packet_format import write_end
from scaleflow.errors import DataError, UsageError


def _without_index(data: bytes) -> bytes:
    return data[: _end_offset(data)]


def _end_offset(data: bytes) -> int:
    size = parse_trailer(data[-TRAILER_SIZE:])
    assert size is not None
    return len(data) - TRAILER_SIZE - size


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize(("pts", "expected"), [(-5, 0), (0, 0), (4, 0), (5, 5), (9, 5), (10, 10), (10**9, 10)])
def test_seeking_finds_the_last_key_frame_before(
    small_file: bytes, tmp_path: Path, indexed: bool, pts: int, expected: int
) -> None:
    path = tmp_path / "a.sfv"
    path.write_bytes(small_file if indexed else _without_index(small_file))
    with SfvReader(path) as reader:
        assert reader.seek_to_key_frame(pts).pts == expected
        items = list(reader)
    pictures = [item for item in items if isinstance(item, VideoPacket)]
    assert [item.frame_number for item in pictures] == list(range(expected, 15))
    assert all(item.decodable for item in pictures)
    assert all(item.timed for item in items if isinstance(item, AudioPacket))
    assert any(isinstance(item, DamagedRegion) for item in items) != indexed


def test_looking_at_the_index_does_not_move_the_reader(small_file: bytes) -> None:
    for data in (small_file, _without_index(small_file)):
        undisturbed = list(SfvReader(io.BytesIO(data)))
        reader = SfvReader(io.BytesIO(data))
        items = [next(reader), next(reader)]
        assert [key.frame_number for key in reader.key_frames] == [0, 5, 10]
        assert items + list(reader) == undisturbed


@pytest.mark.parametrize("shift", [-1, 1, 10**6])
def test_an_index_that_lies_is_replaced(small_file: bytes, shift: int) -> None:
    true_index = SfvReader(io.BytesIO(small_file)).key_frames
    index = KeyFrameIndex()
    for key in true_index:
        index.append(KeyFrame(key.pts, key.frame_number, key.offset + shift))
    end = write_end(EndBody(index, 15).to_bytes())
    reader = SfvReader(io.BytesIO(_without_index(small_file) + end + write_trailer(len(end))))
    assert reader.seek_to_key_frame(7) == true_index[1]
    assert next(item.pts for item in reader if isinstance(item, VideoPacket)) == 5


@pytest.mark.parametrize("size", [0, 1, 2**32 - 1])
def test_a_trailer_that_lies_is_not_believed(small_file: bytes, size: int) -> None:
    reader = SfvReader(io.BytesIO(small_file[:-TRAILER_SIZE] + write_trailer(size)))
    assert [key.pts for key in reader.key_frames] == [0, 5, 10]


def test_a_file_without_pictures_has_nowhere_to_seek(header: SfvHeader) -> None:
    stream = io.BytesIO()
    SfvWriter(stream, header).close()
    reader = SfvReader(io.BytesIO(stream.getvalue()))
    assert list(reader) == []
    with pytest.raises(DataError, match="no key frame"):
        reader.seek_to_key_frame(0)


def test_files_that_cannot_be_opened_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing.sfv"):
        SfvReader(tmp_path / "missing.sfv")
    (tmp_path / "empty.sfv").touch()
    with pytest.raises(DataError, match=r"empty.sfv: the file is empty"):
        SfvReader(tmp_path / "empty.sfv")
