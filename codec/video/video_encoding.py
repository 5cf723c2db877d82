"""Which encoder, pixel format and options a container gets for a video."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import av

from scaleflow.codec.picture import VideoProperties
from scaleflow.codec.video.chroma import Shifts
from scaleflow.codec.video.pixel_format import PixelFormat, describe_pixel_format, gray_name, yuv_name
from scaleflow.errors import UsageError

log = logging.getLogger(__name__)

CONTAINERS = {"mp4": "mp4", "m4v": "mp4", "mov": "mov", "mkv": "matroska", "matroska": "matroska", "webm": "webm"}
"""Names of containers (file extensions, mostly) and FFmpeg's muxers for them."""

_X264_NEAR_LOSSLESS = {"preset": "veryfast", "crf": "1"}
_X264_LOSSLESS = {"preset": "ultrafast", "qp": "0"}
_VP9_LOSSLESS = {"lossless": "1", "deadline": "realtime", "cpu-used": "8", "row-mt": "1"}
_FFV1_OPTIONS = {"level": "3", "slicecrc": "1"}


@dataclass(frozen=True)
class VideoEncoding:
    """An encoder of FFmpeg's, the pixel format it is given, and its options."""

    codec: str
    pixel_format: str
    options: dict[str, str] = field(default_factory=dict)


def planar_format(properties: VideoProperties) -> PixelFormat:
    """The planar format that is closest to the source's: itself, unless the source is RGB.

    For RGB sources it is the Y'CbCr format that holds the working pictures: 4:2:0, or 4:4:4 for ``rgb`` ones.
    """
    source = describe_pixel_format(properties.pixel_format)
    if source.family != "rgb":
        return describe_pixel_format(source.planar_name)
    shifts: Shifts = (1, 1) if properties.working_format == "yuv420" else (0, 0)
    return describe_pixel_format(yuv_name(shifts, properties.bit_depth))


def choose_encoding(container: str, properties: VideoProperties, lossless: bool) -> VideoEncoding:
    """Decide how to encode into ``container``, one of FFmpeg's muxers.

    Near-lossless is x264; lossless is FFV1 in Matroska and x264 with quantiser 0 in mp4 and mov; webm gets lossless VP9
    in either case. PyAV can tell a Matroska file the shape of pixels only through the codec, so pixels that are not
    square take x264 there. Grey is stored as H.264 without chroma, which FFmpeg decodes to 4:2:0 with chroma at middle.

    Raises:
        UsageError: the container has no lossless encoding for this video.
    """
    wanted = planar_format(properties)
    chosen = _x264_format(wanted, properties)
    has_square_pixels = properties.sample_aspect_ratio == 1
    if container == "webm":
        if not has_square_pixels:
            log.warning("webm has no place for the sample aspect ratio %s", properties.sample_aspect_ratio)
        return _vp9(properties, wanted, lossless)
    is_rgb = describe_pixel_format(properties.pixel_format).family == "rgb"
    x264_is_exact = chosen == wanted and not is_rgb
    if container == "matroska" and lossless and (has_square_pixels or not x264_is_exact):
        if not has_square_pixels:
            log.warning("FFV1 has no place for the sample aspect ratio %s", properties.sample_aspect_ratio)
        return VideoEncoding("ffv1", _ffv1_format(properties), dict(_FFV1_OPTIONS))
    if lossless and (chosen.chroma_shifts != wanted.chroma_shifts or (is_rgb and properties.working_format == "rgb")):
        raise UsageError(
            f"{properties.width}x{properties.height} {properties.pixel_format} cannot be stored losslessly "
            f"in {container}; write .mkv instead"
        )
    if chosen.chroma_shifts != wanted.chroma_shifts:
        log.warning(
            "H.264 has no %s pictures of %dx%d; %s is written",
            wanted.name,
            properties.width,
            properties.height,
            chosen.name,
        )
    return VideoEncoding("libx264", chosen.name, dict(_X264_LOSSLESS if lossless else _X264_NEAR_LOSSLESS))


def _x264_format(wanted: PixelFormat, properties: VideoProperties) -> PixelFormat:
    depth = 8 if wanted.bit_depth == 8 else 10
    if wanted.family == "gray":
        return describe_pixel_format(gray_name(depth))
    horizontal, vertical = wanted.chroma_shifts
    horizontal, vertical = min(horizontal, 1), min(vertical, 1)
    # H.264 crops in whole chroma samples, so subsampled pictures have even sizes only; it knows no 4:4:0.
    if vertical and properties.height % 2:
        vertical = 0
    if horizontal and properties.width % 2:
        horizontal = 0
    if not horizontal:
        vertical = 0
    return describe_pixel_format(yuv_name((horizontal, vertical), depth))


def _ffv1_format(properties: VideoProperties) -> str:
    source = describe_pixel_format(properties.pixel_format)
    if source.family != "rgb":
        return source.planar_name
    return "bgr0" if source.bit_depth == 8 else source.planar_name


def _vp9(properties: VideoProperties, wanted: PixelFormat, lossless: bool) -> VideoEncoding:
    formats = {layout.name for layout in av.Codec("libvpx-vp9", "w").video_formats or ()}
    shifts = (1, 1) if wanted.family == "gray" or max(wanted.chroma_shifts) > 1 else wanted.chroma_shifts
    depth = wanted.bit_depth
    if yuv_name(shifts, depth) not in formats:
        depth = 10 if depth > 8 and yuv_name(shifts, 10) in formats else 8
    name = yuv_name(shifts, depth)
    if depth < properties.bit_depth or (shifts != wanted.chroma_shifts and wanted.family != "gray"):
        if lossless:
            raise UsageError(f"{properties.pixel_format} cannot be stored losslessly in webm; write .mkv instead")
        log.warning("VP9 has no %s here; %s is written", wanted.name, name)
    return VideoEncoding("libvpx-vp9", name, dict(_VP9_LOSSLESS))
