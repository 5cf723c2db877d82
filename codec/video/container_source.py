"""Frames and audio packets of anything that FFmpeg opens: files, streams, y4m on standard input, raw video."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, BinaryIO

import av
import av.error

from scaleflow.codec.video.audio import AudioPacketData, AudioStream
from scaleflow.codec.video.audio_input import AudioInput, open_audio
from scaleflow.codec.video.container_crop import crop_of_stream
from scaleflow.codec.video.input_file import STANDARD_INPUT, OpenedInput, reason_of
from scaleflow.codec.video.raw_format import RawVideoFormat
from scaleflow.codec.video.source_damage import PromisedLength, SourceDamage
from scaleflow.codec.video.timestamps import BestEffortTimes, Continuity
from scaleflow.errors import DataError
from scaleflow.limits import DEFAULT_MAX_PIXELS, check_picture_size

log = logging.getLogger(__name__)

FALLBACK_FRAME_RATE = Fraction(25)
HIGHEST_FRAME_RATE = 1000
"""Pictures a second beyond which a rate is that of a clock, not of pictures, where another one is known."""

MOST_UNTIMED = 32
"""Pictures at the start whose times are counted back from the first one that has a time."""

_GENERATE_TIMES = 1
_MAY_JUMP = 0x0200
_ATTACHED_PICTURE = 1 << 10
_TEXT_ART_FORMATS = ("tty", "bin", "xbin", "adf", "idf")
"""Demuxers that take any text for a video of letters."""
_EVEN_FORMATS = ("yuv4mpegpipe", "rawvideo")


class ContainerSource:
    """A :class:`~scaleflow.codec.video.frame_source.FrameSource` over what FFmpeg opens: its first video stream that is
    no cover.

    Args:
        source: a path, or ``-`` for y4m (or raw video, where ``raw`` is given) on standard input.
        raw: form of headerless video.
        frame_rate: overrides the file's timing by a constant rate.
        threads: decoder threads, 0 for one a core; pictures and messages do not depend on it.
        allow_protocols: what the source may open beside itself, see :mod:`scaleflow.codec.video.input_file`.
        still: only the first picture counts, as in a file that is a picture.
        max_pixels: largest picture, in samples of luma; larger ones are refused before memory is taken.
    """

    def __init__(
        self,
        source: str | BinaryIO,
        raw: RawVideoFormat | None = None,
        frame_rate: Fraction | None = None,
        threads: int = 0,
        name: str | None = None,
        allow_protocols: Sequence[str] = (),
        still: bool = False,
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> None:
        self._max_pixels = max_pixels
        self.name = name or (source if isinstance(source, str) else "input")
        self._still = still
        self._opened = self._open(source, raw, allow_protocols)
        self._container = self._opened.container
        self._container.flags &= ~_GENERATE_TIMES  # It makes up presentation times where there are none.
        self.damage = SourceDamage(self.name)
        self.last_duration: int | None = None
        try:
            self._select_streams(threads)
            self._set_timing(frame_rate)
            self.frame_count = self._estimate_frame_count(source, raw)
        except BaseException:
            self._opened.close()
            raise

    def _open(self, source: str | BinaryIO, raw: RawVideoFormat | None, allow_protocols: Sequence[str]) -> OpenedInput:
        container_format = None
        options: dict[str, str] = {}
        if source == STANDARD_INPUT:
            self.name = "standard input"
            container_format = "yuv4mpegpipe"
        if raw is not None:
            check_picture_size(raw.width, raw.height, self._max_pixels, self.name)
            container_format = "rawvideo"
            options = {
                "video_size": f"{raw.width}x{raw.height}",
                "pixel_format": raw.pixel_format,
                "framerate": str(raw.frame_rate),
            }
            if source != STANDARD_INPUT and isinstance(source, str):
                _check_raw_size(source, raw)
        return OpenedInput(
            source,
            self.name,
            container_format=container_format,
            options=options,
            max_pixels=self._max_pixels,
            allow_protocols=allow_protocols,
        )

    def _select_streams(self, threads: int) -> None:
        container = self._container
        if container.format.name in _TEXT_ART_FORMATS:
            raise DataError(f"{self.name}: is a text file, not a video")
        candidates = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not candidates:
            if container.streams.video:
                raise DataError(f"{self.name}: has no video stream; its only picture is a cover")
            kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
            raise DataError(f"{self.name}: has no video stream (it holds {kinds})")
        self._video = candidates[0]
        if self._video.codec_context is None:
            raise DataError(f"{self.name}: its video codec has no decoder in this FFmpeg")
        if len(candidates) > 1:
            log.warning("%s: has %d video streams; the first is used", self.name, len(candidates))
        # With threads that decode several pictures at a time, what is lost beside damage depends on their number.
        self._video.thread_type = "SLICE"
        self._video.codec_context.thread_count = threads
        self._video.codec_context.options = {"max_pixels": str(self._max_pixels)}
        check_picture_size(
            self._video.codec_context.width, self._video.codec_context.height, self._max_pixels, self.name
        )
        if not self._video.codec_context.width and container.format.name in _EVEN_FORMATS:
            raise self._nothing_to_decode()  # Their size is known from the start, unless it was refused.
        self.crop = crop_of_stream(container, self._video)
        self._audio: dict[int, AudioInput] = {}
        self._buffered: deque[Any] = deque()
        self._packets: Iterator[Any] | None = None
        if container.streams.audio:
            self._packets = self._demux()
            inputs = open_audio(self.name, list(container.streams.audio), self._packets, self._buffered)
            self._audio = {stream.index: stream for stream in inputs}
        self.audio_streams: tuple[AudioStream, ...] = tuple(stream.described for stream in self._audio.values())

    def _nothing_to_decode(self) -> DataError:
        return DataError(
            f"{self.name}: holds no picture that can be decoded and is not more than max_pixels {self._max_pixels}",
            fields=("max_pixels",),
        )

    def _demux(self) -> Iterator[Any]:
        # Packets of all streams are looked at: those of subtitles, too, count in how long the file is.
        return iter(self._container.demux())

    def _set_timing(self, frame_rate: Fraction | None) -> None:
        video = self._video
        self._constant_rate = frame_rate is not None
        if frame_rate is not None:
            if self.audio_streams:
                log.warning("%s: a frame rate was given in place of the times; the audio may go out of step", self.name)
            self.frame_rate, self.time_base = frame_rate, 1 / frame_rate
            return
        self.frame_rate = choose_frame_rate(video.average_rate, video.guessed_rate, video.base_rate)
        self.time_base = Fraction(video.time_base) if video.time_base else 1 / self.frame_rate

    def _estimate_frame_count(self, source: str | BinaryIO, raw: RawVideoFormat | None) -> int | None:
        video = self._video
        if self._still:
            return 1
        if video.frames:
            return video.frames
        if isinstance(source, str) and source != STANDARD_INPUT and os.path.isfile(source):
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
    def pixel_format(self) -> str | None:
        """FFmpeg's name, where the container or its first packets say it."""
        return self._video.codec_context.pix_fmt

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

    @property
    def has_even_times(self) -> bool:
        """Whether pictures come at even times by the form of the source: none need be compared with the next."""
        return self._constant_rate or self._container.format.name in _EVEN_FORMATS

    def items(self) -> Iterator[av.VideoFrame | AudioPacketData]:
        """Frames and audio packets as the file has them. Damaged packets are skipped with a warning."""
        items = self._untimed_items()
        early: list[av.VideoFrame | AudioPacketData] = []
        if not self._constant_rate:
            early = list(_until_timed(items))
            frames = [item for item in early if isinstance(item, av.VideoFrame)]
            if frames and frames[-1].pts is None:
                self._number_frames()
            elif frames:
                self._count_back(frames)
        count = 0
        for item in _chain(early, items):
            if isinstance(item, av.VideoFrame):
                if self._constant_rate:
                    item.pts = count
                count += 1
            yield item
            if self._still and count:
                return

    def _count_back(self, frames: list[av.VideoFrame]) -> None:
        """Give the frames before the first one that has a time theirs."""
        step = max(1, round(1 / (self.frame_rate * self.time_base)))
        first = frames[-1].pts or 0
        for place, frame in enumerate(frames[:-1]):
            frame.pts = first - (len(frames) - 1 - place) * step

    def _untimed_items(self) -> Iterator[av.VideoFrame | AudioPacketData]:
        """Frames with the best estimate of their times, and audio packets."""
        times = BestEffortTimes()
        continuity = Continuity(self.name) if self._container.format.flags & _MAY_JUMP else None
        promised = PromisedLength(self._container)
        packets, self._packets = self._packets or self._demux(), None
        count = 0
        try:
            for packet in _chain(self._buffered, packets):
                if continuity is not None:
                    _move(packet, continuity)
                promised.observe(packet)
                audio = self._audio.get(packet.stream.index)
                if audio is not None:
                    yield from audio.take(packet)
                elif packet.stream.index == self._video.index and _is_to_decode(packet):
                    for frame in self._decode(packet):
                        frame.pts = times.next(frame.pts, frame.dts)
                        self.last_duration = getattr(frame, "duration", None) or None
                        self.damage.corrupt_pictures += bool(frame.is_corrupt)
                        count += 1
                        yield frame
        except av.error.FFmpegError as error:
            if not count:
                raise DataError(f"{self.name}: reading failed: {reason_of(error)}") from error
            self.damage.ended = f"reading failed after {count} pictures: {reason_of(error)}"
        if not count and not self._video.codec_context.width:
            raise self._nothing_to_decode()
        self.damage.ended = self.damage.ended or promised.missing(1 / self.frame_rate)
        if self._container.format.name in _EVEN_FORMATS and not self.damage.ended:
            left = self._opened.bytes_read - promised.last_byte
            if left > 0:
                self.damage.ended = f"ends within picture {count}, of which it holds {left} bytes"

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
            raise DataError(f"{self.name}: cannot seek: {reason_of(error)}") from error
        self._buffered.clear()
        self._packets = None

    def _number_frames(self) -> None:
        """Time by number and rate: elementary streams carry no times of their own."""
        self._constant_rate = True
        # Their average rate is the demuxer's own; the guess takes in what the pictures' headers say.
        self.frame_rate = choose_frame_rate(self._video.guessed_rate, None, self.frame_rate)
        self.time_base = 1 / self.frame_rate

    def _decode(self, packet: Any) -> list[av.VideoFrame]:
        try:
            return list(packet.decode())
        except EOFError:
            return []
        except av.error.FFmpegError as error:
            self.damage.damaged_packets += 1
            log.warning(
                "%s: a damaged video packet at byte %s is skipped (%s)", self.name, packet.pos, reason_of(error)
            )
            return []

    def close(self) -> None:
        """Close the container. Safe to call twice."""
        self._opened.close()


def choose_frame_rate(average: Fraction | None, guessed: Fraction | None, base: Fraction | None) -> Fraction:
    """Pictures a second: the average of the file, unless that is the rate of a clock.

    Of variable rates the average is what rate control needs; FFmpeg's guess is the highest rate that occurs.
    """
    rates = [Fraction(rate) for rate in (average, guessed, base) if rate and rate > 0]
    if average and guessed and average > 2 * guessed > 0:
        rates.remove(Fraction(average))
    usual = [rate for rate in rates if rate <= HIGHEST_FRAME_RATE]
    return (usual or [FALLBACK_FRAME_RATE])[0]


def _until_timed(items: Iterator[av.VideoFrame | AudioPacketData]) -> Iterator[av.VideoFrame | AudioPacketData]:
    """The items up to the first frame that has a time, at most so many frames."""
    untimed = 0
    for item in items:
        yield item
        if isinstance(item, av.VideoFrame):
            untimed += 1
            if item.pts is not None or untimed == MOST_UNTIMED:
                return


def _chain(first: Iterable[Any], second: Iterable[Any]) -> Iterator[Any]:
    """As :func:`itertools.chain`, letting go of what it has passed on."""
    if isinstance(first, deque):
        while first:
            yield first.popleft()
    elif isinstance(first, list):
        first.reverse()
        while first:
            yield first.pop()
    yield from second


def _move(packet: Any, continuity: Continuity) -> None:
    """Move a packet to where it belongs after jumps of the clock."""
    base = packet.time_base
    offset = continuity.offset
    if packet.dts is not None and packet.stream.type in ("video", "audio"):
        offset = continuity.observe(packet.stream.index, packet.dts * base, (packet.duration or 0) * base)
    ticks = round(offset / base) if base else 0
    if ticks:
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks


def _is_to_decode(packet: Any) -> bool:
    """Whether a packet holds something, or is the one that ends a stream; others say that a picture is shown again."""
    return bool(packet.size) or (packet.pts is None and packet.dts is None)


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
