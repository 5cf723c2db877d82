"""Reading video: pictures in a model's working format, audio packets as they are."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av

from scaleflow.codec.picture import Picture, Planes, VideoProperties, WorkingFormat
from scaleflow.codec.video.audio import AudioPacketData, AudioStream
from scaleflow.codec.video.color_tags import MATRICES, PRIMARIES, RANGES, TRANSFERS, tag_name
from scaleflow.codec.video.container_crop import Crop
from scaleflow.codec.video.container_source import ContainerSource
from scaleflow.codec.video.frame_planes import planes_of
from scaleflow.codec.video.frame_source import FrameSource
from scaleflow.codec.video.hdr_metadata import read_hdr_metadata
from scaleflow.codec.video.picture_sequence import STILL_SUFFIXES, PictureSequence, is_picture_sequence
from scaleflow.codec.video.pixel_format import PixelFormat, describe_pixel_format
from scaleflow.codec.video.raw_format import RawVideoFormat
from scaleflow.codec.video.raw_name import is_raw_file, raw_format_of_name
from scaleflow.codec.video.rotation import clockwise_rotation, turn_planes
from scaleflow.codec.video.side_data import side_data
from scaleflow.codec.video.source_damage import SourceDamage
from scaleflow.codec.video.timestamps import RisingTimestamps
from scaleflow.codec.video.working_format import color_coding, to_working, working_bit_depth
from scaleflow.errors import DataError, UsageError
from scaleflow.limits import DEFAULT_MAX_PIXELS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SourcePicture:
    """One picture as the file holds it, for measuring.

    ``planes`` are (Y, Cb, Cr), (Y,) or (R, G, B) of ``pixel_format``, unconverted; ``pts`` is in units of the video's
    time base; ``is_corrupt`` says that the decoder had to make up some of it.
    """

    planes: Planes
    pixel_format: PixelFormat
    pts: int
    is_corrupt: bool


def open_video(
    path: str | os.PathLike[str],
    *,
    raw: RawVideoFormat | None = None,
    frame_rate: Fraction | None = None,
    working_format: WorkingFormat = "yuv420",
    threads: int = 0,
    allow_protocols: Sequence[str] = (),
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> VideoReader:
    """Open a video for reading.

    Args:
        path: any file that FFmpeg reads; a folder, printf pattern or glob pattern of pictures; or ``-``, a y4m stream
            on standard input.
        raw: form of a file (or standard input) without header; of ``.yuv`` files their names may say it, see
            :mod:`scaleflow.codec.video.raw_name`.
        frame_rate: constant rate of a folder of pictures (25 where not given); replaces the timing of other inputs.
        working_format: "yuv420" or "rgb", see :mod:`scaleflow.codec.video.working_format`.
        threads: decoder threads, 0 for one a core. The pictures do not depend on it.
        allow_protocols: FFmpeg's names of protocols, such as "https", that an address as ``path``, or a playlist, may
            use. Without them a file is read and nothing else is opened, whatever its name or its content says.
        max_pixels: largest picture, in samples of luma; larger ones are refused before memory is taken.

    Raises:
        UsageError: there is no such file.
        DataError: it is empty, no video, or has no picture that can be decoded and is not too large.
    """
    if frame_rate is not None and frame_rate <= 0:
        raise UsageError(f"frame rate {frame_rate} must be positive")
    name = os.fspath(path)
    if raw is None and is_raw_file(name):
        raw, frame_rate = raw_format_of_name(name, frame_rate), None
    source: FrameSource
    if raw is None and name != "-" and is_picture_sequence(name):
        source = PictureSequence(name, frame_rate, max_pixels)
    else:
        is_still = Path(name).suffix.lower() in STILL_SUFFIXES
        source = ContainerSource(
            name, raw, frame_rate, threads, allow_protocols=allow_protocols, still=is_still, max_pixels=max_pixels
        )
    try:
        return VideoReader(source, working_format)
    except BaseException:
        source.close()
        raise


class VideoReader:
    """A video being read, one pass from the start. A context manager; iterating gives the pictures alone.

    Attributes:
        name: of the file, for messages.
        properties: what must be known to write the video back.
        frame_count: number of pictures as the file says or lets guess, None where it cannot be known.
        audio_streams: the streams that audio packets belong to.
    """

    def __init__(self, source: FrameSource, working_format: WorkingFormat) -> None:
        self._source = source
        self.name = source.name
        self._items = source.items()
        self._early: deque[av.VideoFrame | AudioPacketData] = deque()
        first = self._find_first_frame()
        self._crop = source.crop if source.crop.fits(first.width, first.height) else Crop()
        self.last_duration: int | None = None
        """How long the last picture lasts, in ``time_base`` units, where the source says so; once all are read."""
        self.properties = self._describe(first, working_format)
        self._coding = color_coding(self.properties)
        family = describe_pixel_format(self.properties.pixel_format).family
        self._is_rgb, self._is_gray = family == "rgb", family == "gray"
        self._taken = False
        self._count = 0
        self.frame_count = source.frame_count
        self.audio_streams: tuple[AudioStream, ...] = source.audio_streams

    def _find_first_frame(self) -> av.VideoFrame:
        for item in self._items:
            self._early.append(item)
            if isinstance(item, av.VideoFrame):
                return item
        raise DataError(f"{self._source.name}: holds no picture that can be decoded")

    def _describe(self, frame: av.VideoFrame, working_format: WorkingFormat) -> VideoProperties:
        source = self._source
        name = frame.format.name
        if isinstance(source, PictureSequence) and describe_pixel_format(name).family == "gray":
            name = source.colored_format() or name
        pixel_format = describe_pixel_format(name)
        tags = _color_tags(frame)
        # FFmpeg calls any full-range video yuvj; the name is kept only where chroma lies as in JPEG.
        keeps_name = source.chroma_is_centered or not pixel_format.is_jpeg
        name = pixel_format.name if keeps_name else pixel_format.planar_name
        if frame.interlaced_frame:
            log.warning("%s: is interlaced; it is read as if it were progressive", source.name)
        if pixel_format.has_alpha:
            log.warning("%s: transparency is left out", source.name)
        if working_format == "yuv420" and pixel_format.family != "gray" and pixel_format.chroma_shifts != (1, 1):
            log.warning("%s: %s is coded in 4:2:0: its colours lose resolution", source.name, pixel_format.name)
        width, height = self._crop.size(frame.width, frame.height)
        try:
            return VideoProperties(
                width=width,
                height=height,
                pixel_format=name,
                bit_depth=working_bit_depth(pixel_format, working_format),
                frame_rate=source.frame_rate,
                time_base=source.time_base,
                **tags,
                color_primaries=tag_name(PRIMARIES, source.color_primaries),
                color_transfer=tag_name(TRANSFERS, source.color_transfer),
                sample_aspect_ratio=source.sample_aspect_ratio,
                rotation=clockwise_rotation(frame, source.name),
                working_format=working_format,
                **read_hdr_metadata(side_data(frame)),
            )
        except DataError as error:
            raise DataError(f"{source.name}: {error}") from None

    def skip_to(self, pts: int) -> None:
        """Leave out what comes before the picture at ``pts``, by seeking; before the pictures are taken.

        Raises:
            DataError: the source cannot seek.
        """
        if not isinstance(self._source, ContainerSource):
            raise DataError(f"{self._source.name}: pictures in files of their own are not sought by time")
        self._source.seek(pts)
        self._early.clear()
        self._items = (
            item
            for item in self._source.items()
            if isinstance(item, AudioPacketData) or item.pts is None or item.pts >= pts
        )

    @property
    def damage(self) -> SourceDamage:
        """What of the source is damaged, as far as it has been read."""
        return self._source.damage

    def items(self) -> Iterator[Picture | AudioPacketData]:
        """Pictures and audio packets in the order in which the file holds them. Can be taken once.

        Damage to the source is told by warnings at the end, and by :attr:`damage`.

        Raises:
            DataError: the pictures change size, or reading fails.
        """
        for item in self._timed():
            yield item if isinstance(item, AudioPacketData) else self._convert(*item)

    def samples(self) -> Iterator[SourcePicture]:
        """Pictures with the samples that the file holds, in place of :meth:`items`. Can be taken once.

        Raises:
            DataError: the pictures change size, or reading fails.
        """
        for item in self._timed():
            if not isinstance(item, AudioPacketData):
                frame, pts = item
                yield SourcePicture(*self._planes(frame), pts, bool(frame.is_corrupt))

    def _timed(self) -> Iterator[tuple[av.VideoFrame, int] | AudioPacketData]:
        if self._taken:
            raise RuntimeError("a video can be read only once; open it again")
        self._taken = True
        properties = self.properties
        timestamps = RisingTimestamps(self._source.name, properties.frame_rate, properties.time_base)
        waiting: av.VideoFrame | None = None
        behind: list[AudioPacketData] = []
        for item in self._remaining():
            if isinstance(item, AudioPacketData):
                if waiting is None:
                    yield item
                else:
                    behind.append(item)
                continue
            if waiting is not None:
                yield waiting, timestamps.next(waiting.pts, item.pts)
                yield from behind
                behind.clear()
                waiting = None
            if not self._source.has_even_times and timestamps.needs_following(item.pts):
                waiting = item  # Whether its time is right shows beside that of the next.
            else:
                yield item, timestamps.next(item.pts)
        if waiting is not None:
            yield waiting, timestamps.next(waiting.pts)
            yield from behind
        self.last_duration = self._source.last_duration
        for sentence in self.damage.sentences():
            log.warning("%s", sentence)

    def _remaining(self) -> Iterator[av.VideoFrame | AudioPacketData]:
        while self._early:
            yield self._early.popleft()
        yield from self._items

    def _planes(self, frame: av.VideoFrame) -> tuple[Planes, PixelFormat]:
        """Samples of a frame as those of the first are: of its size, without what is cropped, turned as it is.

        Raises:
            DataError: it is of another size.
        """
        properties, name = self.properties, self._source.name
        planes, pixel_format = planes_of(frame)
        if self._crop.fits(frame.width, frame.height):
            planes = self._crop.apply(planes, pixel_format.chroma_shifts)
        planes = turn_planes(planes, (clockwise_rotation(frame) - properties.rotation) % 360)
        height, width = planes[0].shape
        if (width, height) != (properties.width, properties.height):
            raise DataError(
                f"{name}: picture {self._count} is {width}x{height} after pictures of "
                f"{properties.width}x{properties.height}; split or scale the input so that all have one size"
            )
        self._count += 1
        return planes, pixel_format

    def _convert(self, frame: av.VideoFrame, pts: int) -> Picture:
        planes, pixel_format = self._planes(frame)
        properties, coding = self.properties, self._coding
        if pixel_format.family != "gray" and self._is_gray:
            raise DataError(
                f"{self._source.name}: picture {self._count - 1} has colours after grey ones, which would be lost; "
                "convert all to one pixel format"
            )
        if pixel_format.family != "rgb" and self._is_rgb:
            # A JPEG or grey picture among RGB ones: its own Y'CbCr is not that of the others.
            own = color_coding(replace(properties, **_color_tags(frame), pixel_format=pixel_format.name))
            planes = to_working(planes, pixel_format, own, "rgb", 8)
            pixel_format = describe_pixel_format("rgb24")
        return Picture(to_working(planes, pixel_format, coding, properties.working_format, properties.bit_depth), pts)

    def __iter__(self) -> Iterator[Picture]:
        return (item for item in self.items() if isinstance(item, Picture))

    def close(self) -> None:
        """Close the source. Safe to call twice."""
        self._source.close()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _color_tags(frame: av.VideoFrame) -> dict[str, Any]:
    is_jpeg = describe_pixel_format(frame.format.name).is_jpeg
    return {
        "color_matrix": tag_name(MATRICES, int(frame.colorspace)),
        "color_range": "pc" if is_jpeg else tag_name(RANGES, int(frame.color_range)),
    }
