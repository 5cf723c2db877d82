"""Reading ``.sfv`` files, whole or damaged, from disk or from a pipe."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from scaleflow.codec.container.header import PRELUDE_SIZE, SfvHeader, header_size, parse_header
from scaleflow.codec.container.index import TRAILER_SIZE, EndBody, KeyFrame, KeyFrameIndex, parse_trailer
from scaleflow.codec.container.packet import VideoPacket
from scaleflow.codec.container.packet_format import BadPacket
from scaleflow.codec.container.packet_stream import Item, PacketReader, PacketStream
from scaleflow.codec.container.source import ByteSource
from scaleflow.errors import DataError, UsageError
from scaleflow.standard_input import standard_input

logger = logging.getLogger(__name__)


class SfvReader(Iterator[Item]):
    """Iterates over packets and damaged regions in the order of the file; a context manager.

    ``origin`` is a path, ``-`` for standard input, or a binary stream. Memory is bounded by one packet, or two after
    damage. What to do about damage is the caller's: a :class:`VideoPacket` with ``decodable`` False depends on a lost
    picture, and everything is sound again from the next key frame on.

    Raises:
        UsageError: the file cannot be opened.
        DataError: it is not an ``.sfv`` file of a known version with an intact header.
    """

    def __init__(self, origin: str | os.PathLike[str] | BinaryIO) -> None:
        self._owned: BinaryIO | None = None
        if not isinstance(origin, str | os.PathLike):
            self.name, stream = str(getattr(origin, "name", "input")), origin
        elif os.fspath(origin) == "-":
            self.name, stream = "standard input", standard_input()
        else:
            self.name = os.fspath(origin)
            try:
                stream = self._owned = Path(origin).open("rb")
            except OSError as error:
                raise UsageError(f"{self.name}: cannot be opened: {error.strerror}") from error
        try:
            self._source = ByteSource(stream, self.name)
            self.header = self._read_header()
        except BaseException:
            self.close()
            raise
        self._first_packet = self._source.position
        self._index: KeyFrameIndex | None = None
        self._stream = PacketStream(self._source, self.header, at_start=True)

    def _read_header(self) -> SfvHeader:
        try:
            size = header_size(self._source.peek(PRELUDE_SIZE))
            header = parse_header(self._source.peek(size))
        except DataError as error:
            raise DataError(f"{self.name}: {error}") from error
        self._source.advance(size)
        return header

    @property
    def seekable(self) -> bool:
        """Whether :meth:`seek_to_key_frame` can be used."""
        return self._source.seekable

    @property
    def position(self) -> int:
        """Bytes read so far, from the start of the file."""
        return self._source.position

    @property
    def last_duration(self) -> int | None:
        """How long the last picture is shown, in units of the time base, once the end packet is read; None as usual."""
        return self._stream.last_duration

    @property
    def key_frames(self) -> KeyFrameIndex:
        """Key frames of the file, from its index; where that is missing or wrong, from reading all of it once.

        Raises:
            UsageError: the input is a pipe that has not been read to its end packet.
        """
        if self._index is None:
            self._index = self._stream.index
        if self._index is None:
            self._require_seekable()
            here = self._source.position
            self._index = self._read_index() or self._rebuild_index()
            self._source.seek(here)
        return self._index

    def seek_to_key_frame(self, pts: int) -> KeyFrame:
        """Continue at the last key frame at or before ``pts`` (the first one when all are later) and return it.

        Raises:
            UsageError: the input is a pipe.
            DataError: the file holds no key frame.
        """
        self._require_seekable()
        target = self._find_key_frame(pts)
        if not self._is_at(target):
            logger.warning("%s: its index is wrong", self.name)
            self._index = self._rebuild_index()
            target = self._find_key_frame(pts)
        self._source.seek(target.offset)
        self._stream = PacketStream(self._source, self.header, at_start=target.offset == self._first_packet)
        return target

    def __next__(self) -> Item:
        return next(self._stream)

    def close(self) -> None:
        """Close the file that the reader opened."""
        if self._owned is not None:
            self._owned.close()

    def __enter__(self) -> SfvReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require_seekable(self) -> None:
        if not self.seekable:
            raise UsageError(f"{self.name}: is a pipe, in which one cannot seek: save it to a file first")

    def _find_key_frame(self, pts: int) -> KeyFrame:
        try:
            return self.key_frames.at_or_before(pts)
        except DataError as error:
            raise DataError(f"{self.name}: {error}") from error

    def _is_at(self, target: KeyFrame) -> bool:
        """Whether the head of this very key frame is where the index says."""
        self._source.seek(target.offset)
        try:
            head = PacketReader(self._source, self.header).head()
        except BadPacket:
            return False
        return head.kind == "intra" and (head.pts, head.frame_number) == (target.pts, target.frame_number)

    def _read_index(self) -> KeyFrameIndex | None:
        """The index that the trailer points at, None when it is missing, damaged or empty."""
        size = self._source.size()
        self._source.seek(max(self._first_packet, size - TRAILER_SIZE))
        length = parse_trailer(self._source.peek(TRAILER_SIZE))
        start = size - TRAILER_SIZE - (length or 0)
        if length is None or start < self._first_packet:
            return None
        self._source.seek(start)
        try:
            _, end = PacketReader(self._source, self.header).read()
        except BadPacket:
            return None
        if not isinstance(end, EndBody) or any(not self._first_packet <= key.offset < start for key in end.index):
            return None
        return end.index

    def _rebuild_index(self) -> KeyFrameIndex:
        logger.info("%s: rebuilding the index by reading the whole file", self.name)
        index = KeyFrameIndex()
        self._source.seek(self._first_packet)
        for item in PacketStream(self._source, self.header, at_start=True):
            if isinstance(item, VideoPacket) and item.kind == "intra":
                index.append(KeyFrame(item.pts, item.frame_number, item.offset))
        return index
