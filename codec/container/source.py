"""Buffered reading ahead, alike for files and pipes, that never holds more than the packets in question."""

from __future__ import annotations

from typing import BinaryIO

from scaleflow.errors import DataError

CHUNK = 1 << 16
_SLACK = 1 << 20


class ByteSource:
    """A window into a stream: look ahead, advance, find. ``position`` counts from where the stream stood at first."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        # read1 gives what a pipe has, where read would wait for a whole chunk.
        self._read = getattr(stream, "read1", stream.read)
        self._buffer = bytearray()
        self._start = 0
        self.position = 0
        self.seekable = stream.seekable()
        self._base = stream.tell() if self.seekable else 0

    def peek(self, size: int, skip: int = 0) -> bytes:
        """Up to ``size`` bytes from ``skip`` bytes ahead of the position; fewer only where the stream ends.

        The buffer grows as bytes arrive, never by what is asked for.
        """
        return self.peek_ready(size, size, skip)

    def peek_ready(self, least: int, most: int, skip: int = 0) -> bytes:
        """As :meth:`peek`, but waiting only for the first ``least`` bytes, with up to ``most`` where they are there."""
        self._fill(skip + least)
        begin = self._start + skip
        return bytes(memoryview(self._buffer)[begin : begin + most])

    def advance(self, size: int) -> None:
        """Move on by ``size`` bytes, or to the end of the stream where that comes first."""
        while size:
            if not self._fill(1):
                return
            step = min(size, len(self._buffer) - self._start)
            self._start += step
            self.position += step
            size -= step
            if self._start == len(self._buffer) or self._start > _SLACK:
                del self._buffer[: self._start]
                self._start = 0

    def find(self, pattern: bytes) -> bool:
        """Advance to the next occurrence of ``pattern``, here or further on; False, at the end, when there is none."""
        while True:
            enough = self._fill(len(pattern))
            found = self._buffer.find(pattern, self._start)
            if found >= 0:
                self.advance(found - self._start)
                return True
            if not enough:
                self.advance(len(self._buffer) - self._start)
                return False
            self.advance(len(self._buffer) - self._start - len(pattern) + 1)

    def seek(self, position: int) -> None:
        """Continue at ``position``; only where ``seekable``."""
        try:
            self._stream.seek(self._base + position)
        except OSError as error:
            raise DataError(f"cannot seek in {self._name}: {error.strerror}") from error
        self._buffer.clear()
        self._start = 0
        self.position = position

    def size(self) -> int:
        """Bytes in the whole stream; only where ``seekable``. The position stays."""
        here = self._stream.tell()
        end = self._stream.seek(0, 2)
        self._stream.seek(here)
        return end - self._base

    def _fill(self, size: int) -> bool:
        """Whether the buffer holds ``size`` bytes from the position, after reading what is needed."""
        while len(self._buffer) - self._start < size:
            try:
                chunk = self._read(CHUNK)
            except OSError as error:
                raise DataError(f"cannot read {self._name}: {error.strerror}") from error
            if not chunk:
                return False
            self._buffer += chunk
        return True
