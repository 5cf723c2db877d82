"""Writing uncompressed video: y4m and raw planes."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.picture import Planes, VideoProperties
from scaleflow.codec.video.pixel_format import PixelFormat, describe_pixel_format, gray_name, yuv_name
from scaleflow.codec.video.video_encoding import planar_format
from scaleflow.codec.video.video_writer import EvenTimingCheck, VideoWriter
from scaleflow.output_file import OutputStream

log = logging.getLogger(__name__)

_Y4M_CHROMA = {(1, 1): "420", (1, 0): "422", (0, 0): "444", (2, 0): "411"}


class UncompressedWriter(VideoWriter):
    """Pictures one after the other, each with ``picture_header`` before its planes; no audio."""

    def __init__(
        self,
        output: OutputStream,
        properties: VideoProperties,
        target: PixelFormat,
        header: bytes,
        picture_header: bytes,
    ) -> None:
        super().__init__(output.name, properties, target)
        self._output = output
        self._picture_header = picture_header
        self._timing = EvenTimingCheck(output.name, properties)
        if properties.rotation:
            log.warning("%s: has no place for the rotation of %d degrees", output.name, properties.rotation)
        try:
            output.write(header)
        except BaseException:
            output.abort()
            raise

    def _write_planes(self, planes: Planes, pts: int) -> None:
        self._timing.observe(pts)
        if self._picture_header:
            self._output.write(self._picture_header)
        for plane in self._arrange(planes):
            self._output.write(np.ascontiguousarray(plane, plane.dtype.newbyteorder("<")).data.cast("B"))

    def _arrange(self, planes: Planes) -> tuple[NDArray[Any], ...]:
        if self._target.family == "rgb":
            return (np.stack(planes, axis=-1),)
        return planes

    def _finish(self) -> None:
        self._output.commit()

    def _abort(self) -> None:
        self._output.abort()


def y4m_writer(output: OutputStream, properties: VideoProperties) -> UncompressedWriter:
    """A YUV4MPEG2 stream with the tags that FFmpeg and mjpegtools use."""
    wanted = planar_format(properties)
    target = describe_pixel_format(_y4m_format(wanted))
    if target != wanted:
        log.warning("%s: y4m has no %s; %s is written", output.name, wanted.name, target.name)
    header = y4m_header(properties, target)
    return UncompressedWriter(output, properties, target, header, b"FRAME\n")


def y4m_header(properties: VideoProperties, target: PixelFormat) -> bytes:
    """The first line of a y4m stream."""
    rate, aspect = properties.frame_rate, properties.sample_aspect_ratio
    if target.family == "gray":
        chroma = "mono" if target.bit_depth == 8 else f"mono{target.bit_depth}"
    else:
        chroma = _Y4M_CHROMA[target.chroma_shifts]
        if target.bit_depth > 8:
            chroma += f"p{target.bit_depth}"
        elif chroma == "420":
            chroma = "420jpeg"
    fields = [
        "YUV4MPEG2",
        f"W{properties.width}",
        f"H{properties.height}",
        f"F{rate.numerator}:{rate.denominator}",
        "Ip",
        f"A{aspect.numerator}:{aspect.denominator}",
        f"C{chroma}",
    ]
    if describe_pixel_format(properties.pixel_format).family == "rgb":
        fields.append("XCOLORRANGE=LIMITED")
    elif properties.color_range != "unknown":
        fields.append("XCOLORRANGE=FULL" if properties.color_range == "pc" else "XCOLORRANGE=LIMITED")
    return " ".join(fields).encode("ascii") + b"\n"


def _y4m_format(wanted: PixelFormat) -> str:
    if wanted.family == "gray":
        return gray_name(wanted.bit_depth if wanted.bit_depth != 14 else 16)
    horizontal, vertical = wanted.chroma_shifts
    if wanted.bit_depth > 8 or (horizontal, vertical) not in _Y4M_CHROMA:
        horizontal = min(horizontal, 1)
        vertical = min(vertical, horizontal)
    return yuv_name((horizontal, vertical), wanted.bit_depth)


def raw_writer(output: OutputStream, properties: VideoProperties) -> UncompressedWriter:
    """Headerless planes in the source's planar format; RGB sources as packed rgb24 or rgb48le."""
    source = describe_pixel_format(properties.pixel_format)
    if source.family == "rgb":
        target = describe_pixel_format("rgb24" if source.bit_depth == 8 else "rgb48le")
    else:
        target = describe_pixel_format(source.planar_name)
    log.info(
        "%s: to read it back, say that it holds pictures of %dx%d, %s a second, in pixel format %s",
        output.name,
        properties.width,
        properties.height,
        properties.frame_rate,
        target.name,
    )
    return UncompressedWriter(output, properties, target, b"", b"")
