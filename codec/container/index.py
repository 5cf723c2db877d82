"""The index of key frames: in memory, in the end packet, and the trailer through which it is found."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from scaleflow.codec.container.packet_format import LARGEST_TIME
from scaleflow.codec.container.varint import MalformedVarint, read_signed, read_varint, write_signed, write_varint
from scaleflow.errors import DataError

TRAILER_MAGIC = b"EVFS"
TRAILER_SIZE = 4 + len(TRAILER_MAGIC)


@dataclass(frozen=True)
class KeyFrame:
    """Where decoding can start: time in units of the video's time base, picture number, offset of the packet."""

    pts: int
    frame_number: int
    offset: int


class KeyFrameIndex:
    """Key frames in the order of the file, at 24 bytes each."""

    def __init__(self) -> None:
        self._pts = array("q")
        self._frame_numbers = array("q")
        self._offsets = array("q")

    def __len__(self) -> int:
        return len(self._pts)

    def __getitem__(self, position: int) -> KeyFrame:
        return KeyFrame(self._pts[position], self._frame_numbers[position], self._offsets[position])

    def __iter__(self) -> Iterator[KeyFrame]:
        return (self[position] for position in range(len(self)))

    def append(self, entry: KeyFrame) -> None:
        """Add the key frame that follows in the file."""
        self._pts.append(entry.pts)
        self._frame_numbers.append(entry.frame_number)
        self._offsets.append(entry.offset)

    def pop(self) -> None:
        """Take back the last key frame."""
        for column in (self._pts, self._frame_numbers, self._offsets):
            column.pop()

    def at_or_before(self, pts: int) -> KeyFrame:
        """The last key frame at or before ``pts``; the first one when all are later.

        Raises:
            DataError: there is no key frame.
        """
        if not len(self):
            raise DataError("the file holds no key frame")
        for position in range(len(self) - 1, -1, -1):
            if self._pts[position] <= pts:
                return self[position]
        return self[0]


@dataclass(frozen=True)
class EndBody:
    """Body of the end packet: the index, the number of pictures in the file, and how long the last one is shown.

    The latter is in units of the video's time base, None where it is the usual time.
    """

    index: KeyFrameIndex
    frame_count: int
    last_duration: int | None = None

    def to_bytes(self) -> bytes:
        """Number of pictures, number of key frames, then for each the differences from the one before."""
        body = bytearray(write_varint(self.frame_count) + write_varint(len(self.index)))
        before = KeyFrame(0, 0, 0)
        for entry in self.index:
            body += write_varint(entry.frame_number - before.frame_number)
            body += write_signed(entry.pts - before.pts)
            body += write_varint(entry.offset - before.offset)
            before = entry
        if self.last_duration is not None:
            body += write_varint(self.last_duration)
        return bytes(body)


def parse_index(body: bytes) -> EndBody:
    """Inverse of :meth:`EndBody.to_bytes`.

    Raises:
        DataError: it is malformed.
    """
    index = KeyFrameIndex()
    try:
        frame_count, position = read_varint(body, 0)
        entries, position = read_varint(body, position)
        if entries > len(body):
            raise DataError(f"index declares {entries} key frames in {len(body)} bytes")
        frame_number = pts = offset = 0
        for _ in range(entries):
            step, position = read_varint(body, position)
            difference, position = read_signed(body, position)
            distance, position = read_varint(body, position)
            frame_number, pts, offset = frame_number + step, pts + difference, offset + distance
            if max(frame_number, abs(pts), offset) > LARGEST_TIME:
                raise DataError("index is out of range")
            index.append(KeyFrame(pts, frame_number, offset))
        last_duration = None
        if position != len(body):
            last_duration, position = read_varint(body, position)
            if not 0 < last_duration <= LARGEST_TIME:
                raise DataError("the duration of the last picture is out of range")
    except MalformedVarint as error:
        raise DataError(f"index is damaged: {error}") from error
    if position != len(body):
        raise DataError(f"index has {len(body) - position} bytes too many")
    return EndBody(index, frame_count, last_duration)


def write_trailer(end_packet_size: int) -> bytes:
    """The last bytes of a file: how far before them the end packet starts."""
    return struct.pack("<I", end_packet_size) + TRAILER_MAGIC


def parse_trailer(data: bytes) -> int | None:
    """Size of the end packet before the trailer, None when ``data`` are no trailer."""
    if len(data) != TRAILER_SIZE or data[4:] != TRAILER_MAGIC:
        return None
    return int(struct.unpack_from("<I", data)[0])
