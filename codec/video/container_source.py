"""Frames and audio packets of anything that FFmpeg opens: files, streams, y4m on standard input, raw video."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.error

from scaleflow.codec.video.audio import AudioPacketData, AudioStream, describe_audio, packet_data
from scaleflow.codec.video.raw_format import RawVideoFormat
from scaleflow.errors import DataError, UsageError

log = logging.getLogger(__name__)

FALLBACK_FRAME_RATE = Fraction(25)
_ATTACHED_PICTURE = 1 << 10
_TEXT_ART_FORMATS = ("tty", "bin", "xbin", "adf", "idf")
"""Demuxers that take any text for a video of letters."""


class ForwardOnly:
    """A binary stream without its ``seek``, so that FFmpeg does not try to rewind a pipe."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        return self._stream.read(size)


class ContainerSource:
    """A :class:`~scaleflow.codec.video.frame_source.FrameSource` over what FFmpeg opens: its first video stream that is
    no cover.

    Args:
        source: a path, or ``-`` for y4m (or raw video, where ``raw`` is given) on standard input.
        raw: form of headerless video.
        frame_rate: overrides the file's timing by a constant rate.
        threads: decoder threads, 0 for one a core.
    """

    def __init__(
        self,
        source: str | BinaryIO,
        raw: RawVideoFormat | None = None,
        frame_rate: Fraction | None = None,
        threads: int = 0,
        name: str | None = None,
    ) -> None:
        self.name = name or (source if isinstance(source, str) else "input")
        self._container = self._open(source, raw)
        try:
            self._select_streams(threads)
            self._set_timing(frame_rate)
            self.frame_count = self._estimate_frame_count(source, raw)
        except BaseException:
            self._container.close()
            raise

    def _open(self, source: str | BinaryIO, raw: RawVideoFormat | None) -> av.container.InputContainer:
        file: object = source
        container_format = None
        options: dict[str, str] = {}
        if source == "-":
            self.name = "standard input"
            file = ForwardOnly(sys.stdin.buffer)
            container_format = "yuv4mpegpipe"
        elif isinstance(source, str):
            _check_file(source)
        if raw is not None:
            container_format = "rawvideo"
            options = {
                "video_size": f"{raw.width}x{raw.height}",
                "pixel_format": raw.pixel_format,
                "framerate": str(raw.frame_rate),
            }
            if source != "-" and isinstance(source, str):
                _check_raw_size(source, raw)
        try:
            return av.open(file, mode="r", format=container_format, options=options)
        except (av.error.FFmpegError, ValueError) as error:
            hint = "a y4m stream is expected there" if source == "-" else "it is damaged, empty or no video"
            raise DataError(f"{self.name}: cannot be opened as a video; {hint} ({_reason(error)})") from error

    def _select_streams(self, threads: int) -> None:
        container = self._container
        if container.format.name in _TEXT_ART_FORMATS:
            raise DataError(f"{self.name}: is a text file, not a video")
        candidates = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not candidates:
            kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
            raise DataError(f"{self.name}: has no video stream (it holds {kinds})")
        self._video = candidates[0]
        if self._video.codec_context is None:
            raise DataError(f"{self.name}: its video codec has no decoder in this FFmpeg")
        if len(candidates) > 1:
            log.warning("%s: has %d video streams; the first is used", self.name, len(candidates))
        self._video.thread_type = "AUTO"
        self._video.codec_context.thread_count = threads
        described = [(stream.index, describe_audio(stream)) for stream in container.streams.audio]
        for index, audio in described:
            if audio is None:
                log.warning("%s: audio stream %d is of an unknown kind and left out", self.name, index)
        known = [(index, audio) for index, audio in described if audio is not None]
        self.audio_streams: tuple[AudioStream, ...] = tuple(audio for _, audio in known)
        self._audio_places = {index: place for place, (index, _) in enumerate(known)}

    def _set_timing(self, frame_rate: Fraction | None) -> None:
        video = self._video
        self._constant_rate = frame_rate is not None
        if frame_rate is not None:
            if self.audio_streams:
                log.warning("%s: a frame rate was given in place of the times; the audio may go out of step", self.name)
            self.frame_rate, self.time_base = frame_rate, 1 / frame_rate
            return
        rate = video.average_rate or video.guessed_rate or video.base_rate
        self.frame_rate = Fraction(rate) if rate else FALLBACK_FRAME_RATE
        self.time_base = Fraction(video.time_base) if video.time_base else 1 / self.frame_rate

    def _estimate_frame_count(self, source: str | BinaryIO, raw: RawVideoFormat | None) -> int | None:
        video = self._video
        if video.frames:
            return video.frames
        if isinstance(source, str) and source != "-" and os.path.isfile(source):
            if raw is None and self._container.format.name == "yuv4mpegpipe":
                context = video.codec_context
                raw = RawVideoFormat(context.width, context.height, self.frame_rate, context.pix_fmt or "yuv420p")
            if raw is not None:
                return os.path.getsize(source) // raw.frame_size
        if video.duration and video.time_base:
            return round(video.duration * video.time_base * self.frame_rate)
        if self._container.duration:
            return round(Fraction(self._container.duration, av.time_base) * self.frame_rate)
        return None

    @property
    def sample_aspect_ratio(self) -> Fraction:
        """Width of a pixel over its height; 1 where the source does not say."""
        ratio = getattr(self._video, "sample_aspect_ratio", None) or self._video.codec_context.sample_aspect_ratio
        return Fraction(ratio) if ratio and ratio > 0 else Fraction(1)

    @property
    def color_primaries(self) -> int:
        return int(self._video.codec_context.color_primaries)

    @property
    def color_transfer(self) -> int:
        return int(self._video.codec_context.color_trc)

    @property
    def chroma_is_centered(self) -> bool:
        return self._video.codec_context.name == "mjpeg"

    def items(self) -> Iterator[av.VideoFrame | AudioPacketData]:
        """Frames and audio packets as the file has them. Damaged packets are skipped with a warning."""
        streams = [self._video, *(self._container.streams[index] for index in self._audio_places)]
        count = 0
        try:
            for packet in self._container.demux(streams):
                if packet.stream.index != self._video.index:
                    if packet.size:
                        yield packet_data(packet, self._audio_places[packet.stream.index])
                    continue
                for frame in self._decode(packet):
                    if self._constant_rate or (count == 0 and frame.pts is None and frame.dts is None):
                        self._number_frames()
                    frame.pts = count if self._constant_rate else frame.pts if frame.pts is not None else frame.dts
                    count += 1
                    yield frame
        except av.error.FFmpegError as error:
            raise DataError(f"{self.name}: reading failed after {count} pictures: {_reason(error)}") from error

    def seek(self, pts: int) -> None:
        """Go on from the last key frame at or before ``pts``; to be followed by a new :meth:`items`.

        Raises:
            DataError: the container cannot seek, or its pictures carry no times.
        """
        if self._constant_rate:
            raise DataError(f"{self.name}: has no times to seek by")
        try:
            self._container.seek(pts, stream=self._video, backward=True)
        except av.error.FFmpegError as error:
            raise DataError(f"{self.name}: cannot seek: {_reason(error)}") from error

    def _number_frames(self) -> None:
        """Time by number and rate: elementary streams carry no times of their own."""
        self._constant_rate = True
        self.time_base = 1 / self.frame_rate

    def _decode(self, packet: Any) -> list[av.VideoFrame]:
        try:
            return list(packet.decode())
        except av.error.InvalidDataError:
            log.warning("%s: a damaged video packet at byte %s is skipped", self.name, packet.pos)
            return []

    def close(self) -> None:
        """Close the container. Safe to call twice."""
        self._container.close()


def _check_file(path: str) -> None:
    if "://" in path:
        return
    if not os.path.exists(path):
        raise UsageError(f"{path}: there is no such file")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path}: no permission to read it")
    if os.path.isfile(path) and Path(path).stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")


def _check_raw_size(path: str, raw: RawVideoFormat) -> None:
    if not os.path.isfile(path):
        return
    size, frame = os.path.getsize(path), raw.frame_size
    if size % frame:
        raise DataError(
            f"{path}: {size} bytes are not a whole number of {raw.width}x{raw.height} {raw.pixel_format} pictures "
            f"of {frame} bytes ({size % frame} left over); check its size and pixel_format",
            fields=("size", "pixel_format"),
        )


def _is_cover(stream: av.VideoStream) -> bool:
    disposition = getattr(stream, "disposition", 0)  # PyAV 14 has none, 16 a Flag, 18 an IntFlag.
    return bool(int(getattr(disposition, "value", disposition)) & _ATTACHED_PICTURE)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
