"""Writing ``.sfv`` files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO

from scaleflow.codec.container.header import SfvHeader
from scaleflow.codec.container.index import EndBody, KeyFrame, KeyFrameIndex, write_trailer
from scaleflow.codec.container.packet import VideoKind
from scaleflow.codec.container.packet_format import (
    LARGEST_AUDIO_PAYLOAD,
    LARGEST_TIME,
    MOST_PICTURES,
    SEQUENCE_LENGTH,
    AudioBody,
    AudioTimes,
    PictureGroup,
    video_payload_limit,
    write_audio,
    write_end,
    write_inter,
    write_key,
)
from scaleflow.codec.container.timing import FrameClock, following_audio
from scaleflow.errors import DataError, UsageError
from scaleflow.output_file import OutputFile, OutputStream, open_output_file

ENOUGH_BYTES = 8192
"""A group of inter pictures is written once it has this many bytes: the packet's own bytes are then negligible."""

AUDIO_TIMES_PERIOD = 16
"""One audio packet in so many has absolute times whether needed or not, so that little sound is lost after damage."""


class _BorrowedStream(OutputStream):
    """A stream that the caller opened and closes."""

    def _release(self) -> None:
        pass


def _open_target(target: str | os.PathLike[str] | BinaryIO, overwrite: bool) -> OutputStream:
    if isinstance(target, str | os.PathLike):
        return open_output_file(os.fspath(target), overwrite)
    return _BorrowedStream(target, str(getattr(target, "name", "output")))


@dataclass(frozen=True)
class _Checkpoint:
    """What a writer goes back to when the last group of pictures is dropped."""

    size: int
    frame_count: int
    payload_bytes: int
    last_pts: int


class SfvWriter:
    """Writes packets as they come; a context manager that closes after success and aborts after an error.

    ``target`` is a path, ``-`` for standard output, or a binary stream. A path is written under a temporary name and
    renamed by :meth:`close`. ``pictures_per_packet`` (1..16) bounds how many inter pictures share a packet, and with it
    how many are held back before they are written: 1 for the least latency, 16 for the least overhead.

    Raises:
        UsageError: the output exists and ``overwrite`` is not set, or cannot be created.
    """

    def __init__(
        self,
        target: str | os.PathLike[str] | BinaryIO,
        header: SfvHeader,
        *,
        overwrite: bool = False,
        pictures_per_packet: int = MOST_PICTURES,
    ) -> None:
        if not 1 <= pictures_per_packet <= MOST_PICTURES:
            raise UsageError(f"{pictures_per_packet} pictures per packet are outside 1..{MOST_PICTURES}")
        self.header = header
        self._pictures_per_packet = pictures_per_packet
        self._clock = FrameClock(header.video)
        self._limit = video_payload_limit(header.video)
        self._index = KeyFrameIndex()
        self._frame_count = 0
        self._last_pts = 0
        self._payload_bytes = 0
        self._size = 0
        self._pending: list[bytes] = []
        self._pending_differences: list[int] = []
        self._audio_times: dict[int, AudioTimes] = {}
        self._audio_count = 0
        self._checkpoint = _Checkpoint(0, 0, 0, 0)
        self._open = True
        self.last_duration: int | None = None
        """How long the last picture is shown, in units of the time base; to be set before :meth:`close`."""
        start = header.to_bytes()
        self._output = _open_target(target, overwrite)
        self._put(start)

    @property
    def frame_count(self) -> int:
        """Pictures written so far."""
        return self._frame_count

    @property
    def payload_bytes(self) -> int:
        """Bytes of picture and audio payloads so far."""
        return self._payload_bytes

    @property
    def size(self) -> int:
        """Bytes in the file so far, without pictures that wait for others to share their packet."""
        return self._size

    def write_video(self, payload: bytes, kind: VideoKind, pts: int) -> None:
        """Append a coded picture at time ``pts`` in units of the video's time base.

        Raises:
            UsageError: the first picture is not a key frame, or a value is out of range.
            DataError: the output cannot be written.
        """
        self._require_open()
        if len(payload) > self._limit:
            raise UsageError(f"picture {self._frame_count} of {len(payload)} bytes exceeds the {self._limit} allowed")
        if abs(pts) > LARGEST_TIME:
            raise UsageError(f"time {pts} of picture {self._frame_count} is outside ±{LARGEST_TIME}")
        if kind == "intra":
            self._write_pending()
            self._checkpoint = _Checkpoint(self._size, self._frame_count, self._payload_bytes, self._last_pts)
            self._index.append(KeyFrame(pts, self._frame_count, self._size))
            # Audio has absolute times after every place where reading can start.
            self._audio_times.clear()
            self._audio_count = 0
            self._put(write_key(payload, pts, self._frame_count))
        elif self._frame_count:
            self._pending.append(payload)
            self._pending_differences.append(pts - self._clock.after(self._last_pts, self._frame_count - 1))
        else:
            raise UsageError("the first picture must be a key frame")
        self._frame_count += 1
        self._last_pts = pts
        self._payload_bytes += len(payload)
        enough = sum(map(len, self._pending)) >= ENOUGH_BYTES
        if enough or len(self._pending) >= self._pictures_per_packet:
            self._write_pending()

    def write_audio(
        self, stream_index: int, pts: int | None, dts: int | None, duration: int | None, flags: int, payload: bytes
    ) -> None:
        """Append an audio packet of the header's stream ``stream_index``.

        Times are in units of the stream's time base, None where unknown; bit 0 of ``flags`` says "key frame".

        Raises:
            UsageError: no such stream, or a value is out of range.
            DataError: the output cannot be written.
        """
        self._require_open()
        if not 0 <= stream_index < len(self.header.audio):
            raise UsageError(f"audio stream {stream_index} is not among the {len(self.header.audio)} of the header")
        if len(payload) > LARGEST_AUDIO_PAYLOAD:
            raise UsageError(f"audio packet of {len(payload)} bytes exceeds the {LARGEST_AUDIO_PAYLOAD} allowed")
        times = AudioTimes(pts, dts, duration, flags)
        if not times.in_range():
            raise UsageError(f"audio packet is out of range: {times}")
        before = self._audio_times.get(stream_index)
        follows = before is not None and following_audio(before) == times and self._audio_count % AUDIO_TIMES_PERIOD
        self._audio_count += 1
        self._audio_times[stream_index] = times
        self._put(write_audio(stream_index, AudioBody(None if follows else times, payload)))
        self._payload_bytes += len(payload)

    def truncate_to_last_key_group(self) -> bool:
        """Drop the last group of pictures, which an interruption may have left incomplete, and go on before it.

        Returns:
            Whether something was dropped. The only group of a file is kept, for its pictures can be played; and what
            went to a pipe cannot be taken back.
        """
        self._require_open()
        if len(self._index) < 2 or not isinstance(self._output, OutputFile):
            return False
        self._pending.clear()
        self._pending_differences.clear()
        self._audio_times.clear()
        self._audio_count = 0
        self._index.pop()
        before = self._checkpoint
        self._output.truncate(before.size)
        self._size, self._frame_count = before.size, before.frame_count
        self._payload_bytes, self._last_pts = before.payload_bytes, before.last_pts
        self._checkpoint = _Checkpoint(0, 0, 0, 0)
        return True

    def close(self) -> None:
        """Write the index and give the file its name; closing again does nothing.

        Raises:
            DataError: the output cannot be written; nothing is left behind.
        """
        if not self._open:
            return
        self._write_pending()
        end = write_end(EndBody(self._index, self._frame_count, self._unusual_duration()).to_bytes())
        self._put(end + write_trailer(len(end)))
        self._open = False
        self._output.commit()

    def _unusual_duration(self) -> int | None:
        duration = self.last_duration
        if duration is None or not 0 < duration <= LARGEST_TIME or not self._frame_count:
            return None
        usual = self._clock.after(self._last_pts, self._frame_count - 1) - self._last_pts
        return None if abs(duration - usual) <= 1 else duration

    def abort(self) -> None:
        """Remove what was written, as far as it can be taken back; aborting again does nothing."""
        if self._open:
            self._open = False
            self._output.abort()

    def __enter__(self) -> SfvWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _write_pending(self) -> None:
        if not self._pending:
            return
        differences = tuple(self._pending_differences) if any(self._pending_differences) else ()
        sequence = (self._frame_count - len(self._pending)) % SEQUENCE_LENGTH
        packet = write_inter(PictureGroup(sequence, tuple(self._pending), differences))
        self._pending.clear()
        self._pending_differences.clear()
        self._put(packet)

    def _put(self, data: bytes) -> None:
        try:
            self._output.write(data)
            if not isinstance(self._output, OutputFile):
                self._output.flush()  # whoever reads a pipe need not wait for more
        except DataError:
            self.abort()
            raise
        self._size += len(data)

    def _require_open(self) -> None:
        if not self._open:
            raise UsageError("the file is closed: open another writer")
