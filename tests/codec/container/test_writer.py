from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from scaleflow.codec.container import DamagedRegion, SfvHeader, SfvReader, SfvWriter, VideoPacket
from scaleflow.errors import DataError, UsageError


def _frame_numbers(path: Path) -> list[int]:
    with SfvReader(path) as reader:
        items = list(reader)
    assert not any(isinstance(item, DamagedRegion) for item in items)
    return [item.frame_number for item in items if isinstance(item, VideoPacket)]


def _write_pictures(writer: SfvWriter, numbers: range) -> None:
    for number in numbers:
        writer.write_video(bytes([number]) * 50, "inter" if number % 5 else "intra", number)


def test_the_file_appears_when_it_is_complete(header: SfvHeader, tmp_path: Path) -> None:
    path = tmp_path / "out.sfv"
    with SfvWriter(path, header) as writer:
        _write_pictures(writer, range(7))
        assert not path.exists()
        assert (writer.frame_count, writer.payload_bytes) == (7, 350)
    assert os.listdir(tmp_path) == ["out.sfv"]
    assert path.stat().st_size == writer.size
    assert _frame_numbers(path) == list(range(7))


def test_an_error_leaves_nothing(header: SfvHeader, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), SfvWriter(tmp_path / "out.sfv", header) as writer:
        _write_pictures(writer, range(7))
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []
    writer.abort()
    with pytest.raises(UsageError, match="closed"):
        writer.write_video(b"", "intra", 0)


def test_an_existing_file_is_kept_unless_told(header: SfvHeader, tmp_path: Path) -> None:
    path = tmp_path / "out.sfv"
    path.write_bytes(b"precious")
    with pytest.raises(UsageError, match="overwrite"):
        SfvWriter(path, header)
    assert path.read_bytes() == b"precious"
    with SfvWriter(path, header, overwrite=True) as writer:
        _write_pictures(writer, range(1))
        assert path.read_bytes() == b"precious"
    assert _frame_numbers(path) == [0]


def test_outputs_that_cannot_be_written_are_named(header: SfvHeader, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing" / "out.sfv"):
        with pytest.raises(UsageError, match=str(path)):
            SfvWriter(path, header)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_disk_is_one_clear_error(header: SfvHeader) -> None:
    with pytest.raises(DataError, match="No space left"), SfvWriter("/dev/full", header) as writer:
        _write_pictures(writer, range(5))


def test_a_full_disk_leaves_no_temporary_file(
    header: SfvHeader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    writer = SfvWriter(tmp_path / "out.sfv", header)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        with pytest.raises(DataError, match=r"out.sfv"):
            for number in range(10):
                writer.write_video(os.urandom(10_000), "intra", number)
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
    assert os.listdir(tmp_path) == []


def test_a_reader_that_goes_away_is_one_clear_error(header: SfvHeader) -> None:
    incoming, outgoing = os.pipe()
    sink = open(outgoing, "wb", buffering=0)
    writer = SfvWriter(sink, header)
    os.close(incoming)
    with pytest.raises(DataError, match="closed the pipe"):
        writer.write_video(b"picture", "intra", 0)
    sink.close()


@pytest.mark.parametrize(("count", "kept"), [(3, 3), (5, 5), (7, 5), (10, 5), (13, 10)])
def test_an_incomplete_group_can_be_dropped(header: SfvHeader, tmp_path: Path, count: int, kept: int) -> None:
    path = tmp_path / "out.sfv"
    with SfvWriter(path, header) as writer:
        _write_pictures(writer, range(count))
        writer.write_audio(0, 0, 0, 1024, 1, b"sound")
        assert writer.truncate_to_last_key_group() == (count != kept or count == 10)
        assert writer.frame_count == kept
    assert _frame_numbers(path) == list(range(kept))


def test_writing_goes_on_after_a_group_was_dropped(header: SfvHeader, tmp_path: Path) -> None:
    path, plain = tmp_path / "out.sfv", tmp_path / "plain.sfv"
    with SfvWriter(path, header) as writer:
        _write_pictures(writer, range(8))
        assert writer.truncate_to_last_key_group()
        _write_pictures(writer, range(5, 12))
    with SfvWriter(plain, header) as writer:
        _write_pictures(writer, range(12))
    assert path.read_bytes() == plain.read_bytes()


def test_what_went_to_a_stream_is_kept(header: SfvHeader) -> None:
    stream = io.BytesIO()
    with SfvWriter(stream, header) as writer:
        _write_pictures(writer, range(8))
        assert not writer.truncate_to_last_key_group()
    assert not stream.closed


def test_wrong_use_is_refused(header: SfvHeader) -> None:
    writer = SfvWriter(io.BytesIO(), header)
    with pytest.raises(UsageError, match="first picture must be a key frame"):
        writer.write_video(b"", "inter", 0)
    with pytest.raises(UsageError, match="exceeds"):
        writer.write_video(bytes(1 << 20), "intra", 0)
    with pytest.raises(UsageError, match="time"):
        writer.write_video(b"", "intra", 1 << 70)
    with pytest.raises(UsageError, match="audio stream 1"):
        writer.write_audio(1, 0, 0, 0, 0, b"")
    with pytest.raises(UsageError, match="out of range"):
        writer.write_audio(0, 0, 0, -1, 0, b"")
    with pytest.raises(UsageError, match="0 pictures per packet"):
        SfvWriter(io.BytesIO(), header, pictures_per_packet=0)
