"""x265 with FFmpeg's regions of interest: offsets of the quantizer by rectangles (``AVRegionOfInterest``).

As FFmpeg's filter ``addroi`` sets them, picture by picture: what lies outside a mask, on blocks of 16 samples, is
covered with rectangles whose quantizer is higher. x265 heeds them only with adaptive quantization, which its presets
have from superfast on; it is set for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
import av.filter
import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.encoding.region_masks import OpenMasks
from scaleflow.codec.encoding.request import VideoSource
from scaleflow.codec.picture import VideoProperties
from scaleflow.codec.video.container_writer import ContainerWriter
from scaleflow.codec.video.video_encoding import VideoEncoding
from scaleflow.errors import DataError, UsageError
from scaleflow.output_file import OutputStream, open_output_file
from scaleflow.roi.baselines.masked_pictures import pictures_with_masks
from scaleflow.roi.baselines.region_cells import CELL, cells_of_mask
from scaleflow.roi.coding import RegionSettings
from scaleflow.roi.mask_sources.addroi import RANGE_OCTAVES

HIGHEST_QUANTIZER = 51


@dataclass(frozen=True)
class X265Settings:
    """How x265 encodes.

    Attributes:
        crf: 0 to 51, of what lies inside.
        strength: how many times wider quantization steps are outside, as of
            :class:`scaleflow.roi.coding.RegionSettings`.
        preset: of x265.
        intra_period: most pictures from key frame to key frame.
        threads: of x265's pool.
    """

    crf: float
    strength: float
    preset: str = "medium"
    intra_period: int = 32
    threads: int = 1

    def __post_init__(self) -> None:
        RegionSettings(strength=self.strength)
        if not 0 <= self.crf <= HIGHEST_QUANTIZER:
            raise UsageError(f"crf {self.crf:g} is outside 0..{HIGHEST_QUANTIZER}", fields=("crf",))
        for name, value in (("intra_period", self.intra_period), ("threads", self.threads)):
            if value < 1:
                raise UsageError(f"{name} {value} is not at least 1", fields=(name,))

    @property
    def encoding(self) -> VideoEncoding:
        """Of 8 bits, low delay, without the note of its options that x265 would add."""
        parameters = f"log-level=error:info=0:aq-mode=2:aq-strength=1:keyint={self.intra_period}:pools={self.threads}"
        options = {"preset": self.preset, "tune": "zerolatency", "crf": f"{self.crf:g}", "bf": "0"}
        options |= {"g": str(self.intra_period), "x265-params": parameters}
        return VideoEncoding("libx265", "yuv420p", options)

    @property
    def offset(self) -> float:
        """What the quantizer is raised by outside, as a share of its range."""
        return min(1.0, RegionSettings(strength=self.strength).octaves / RANGE_OCTAVES)


@dataclass(frozen=True)
class Rectangle:
    """Samples from column ``x`` and row ``y`` on, and the share of the quantizer's range to raise it by."""

    x: int
    y: int
    width: int
    height: int
    offset: float


def encode_x265(
    source: VideoSource, destination: Path, settings: X265Settings, masks: OpenMasks, overwrite: bool = False
) -> None:
    """Encode a video as HEVC in a NUT file, with regions of interest.

    Raises:
        UsageError: the output exists.
        DataError: the video or a mask cannot be read, or x265 refuses the video.
    """
    with source.open("yuv420") as reader:
        properties = reader.properties
        if properties.bit_depth != 8:
            raise DataError(f"{reader.name}: has {properties.bit_depth} bits, this x265 is for 8")
        output = open_output_file(str(destination), overwrite)
        with _RegionWriter(output, properties, settings.encoding) as writer:
            for picture, mask in pictures_with_masks(reader, masks):
                offsets = settings.offset * (1 - cells_of_mask(mask))
                writer.regions = tuple(cover(offsets, properties.width, properties.height))
                writer.write(picture)


class _RegionWriter(ContainerWriter):
    """Sets ``regions`` beside each picture on its way to the encoder."""

    def __init__(self, output: OutputStream, properties: VideoProperties, encoding: VideoEncoding) -> None:
        super().__init__(output, "nut", properties, encoding, ())
        self.regions: tuple[Rectangle, ...] = ()

    def __enter__(self) -> _RegionWriter:
        return self

    def _encode(self, frame: av.VideoFrame | None) -> None:
        super()._encode(frame if frame is None else with_regions(frame, self.regions))


def with_regions(frame: av.VideoFrame, regions: tuple[Rectangle, ...]) -> av.VideoFrame:
    """A frame with regions of interest beside it, which only FFmpeg's filter can set from here."""
    if not regions:
        return frame
    graph = av.filter.Graph()
    last = source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    for region in regions:
        place = f"x={region.x}:y={region.y}:w={region.width}:h={region.height}"
        offset = Fraction(region.offset).limit_denominator(1000)
        step = graph.add("addroi", f"{place}:qoffset={offset.numerator}/{offset.denominator}")
        last.link_to(step)
        last = step
    sink = graph.add("buffersink")
    last.link_to(sink)
    try:
        graph.configure()
        source.push(frame)
        marked = sink.pull()
    except av.error.FFmpegError as error:
        raise DataError(f"FFmpeg's filter addroi failed: {error.strerror}") from error
    assert isinstance(marked, av.VideoFrame)
    return marked


def cover(offsets: NDArray[np.float32], width: int, height: int) -> Iterator[Rectangle]:
    """Rectangles that cover each cell (h, w) whose offset is not 0 once, within a picture's size."""
    left = np.where(np.abs(offsets) < 0.5 / HIGHEST_QUANTIZER, 0, offsets)
    rows, columns = left.shape
    for row in range(rows):
        for column in range(columns):
            value = left[row, column]
            if not value:
                continue
            right = column
            while right < columns and left[row, right] == value:
                right += 1
            below = row
            while below < rows and (left[below, column:right] == value).all():
                below += 1
            left[row:below, column:right] = 0
            x, y = CELL * column, CELL * row
            yield Rectangle(x, y, min(CELL * right, width) - x, min(CELL * below, height) - y, float(value))
