"""Between the pixel format of a source and the working format of a model, and back.

Into ``yuv420``: 4:2:0 passes through untouched (8 bit stays 8, 9 to 16 bit become 10 bit, rounded); other subsamplings
are filtered to 4:2:0; grey gets chroma at the middle; RGB becomes BT.709 in limited range, whatever the size. Into
``rgb``: everything becomes 8-bit R, G, B through the source's own matrix and range. Back into any format the same steps
are taken in reverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.picture import Planes, VideoProperties, WorkingFormat
from scaleflow.codec.video.chroma import Shifts, chroma_shape, resample_chroma
from scaleflow.codec.video.color import (
    ColorCoding,
    FloatPlane,
    gray_to_rgb_level,
    guess_matrix,
    quantize,
    rescale_depth,
    rgb_to_yuv,
    yuv_to_rgb,
)
from scaleflow.codec.video.pixel_format import PixelFormat, describe_pixel_format

RGB_CODING = ColorCoding("bt709", full_range=False)
"""The Y'CbCr that RGB sources are turned into."""

_420: Shifts = (1, 1)
_444: Shifts = (0, 0)


def working_bit_depth(source: PixelFormat, working: WorkingFormat) -> int:
    """8 or 10: the depth of the working pictures made of a source."""
    return 8 if working == "rgb" or source.bit_depth <= 8 else 10


def color_coding(properties: VideoProperties) -> ColorCoding:
    """How the Y'CbCr of a video's pictures is to be read.

    Untagged matrices are guessed by height; untagged range is limited, except for grey and JPEG formats, which FFmpeg
    too takes for full.
    """
    source = describe_pixel_format(properties.pixel_format)
    if source.family == "rgb":
        return RGB_CODING
    matrix = properties.color_matrix
    if matrix in ("unknown", "gbr"):
        matrix = guess_matrix(properties.height)
    if properties.color_range == "unknown":
        full_range = source.family == "gray" or source.is_jpeg
    else:
        full_range = properties.color_range == "pc"
    return ColorCoding(matrix, full_range, "center" if source.is_jpeg else "left")


def to_working(
    planes: Planes, source: PixelFormat, coding: ColorCoding, working: WorkingFormat, bit_depth: int
) -> Planes:
    """Turn the samples of one picture in format ``source`` into a working picture of ``bit_depth``."""
    if working == "rgb":
        return _to_rgb(planes, source, coding, source.bit_depth, bit_depth)
    if source.family == "rgb":
        yuv = _yuv_of_rgb(planes, source.bit_depth, coding, bit_depth)
        return _quantize_subsampled(yuv, _444, _420, coding, bit_depth)
    height, width = planes[0].shape
    luma = rescale_depth(planes[0], source.bit_depth, bit_depth, coding.full_range)
    if source.family == "gray":
        dtype = np.uint8 if bit_depth == 8 else np.uint16
        middle = np.full(chroma_shape(height, width, _420), 1 << (bit_depth - 1), dtype)
        return luma, middle, middle.copy()
    return (luma, *_convert_chroma(planes, source.bit_depth, source.chroma_shifts, bit_depth, _420, coding))


def from_working(
    planes: Planes, target: PixelFormat, coding: ColorCoding, working: WorkingFormat, bit_depth: int
) -> Planes:
    """Turn one working picture of ``bit_depth`` into samples of format ``target``, whose Y'CbCr follows ``coding``."""
    if working == "rgb":
        return _from_rgb(planes, target, coding, bit_depth)
    if target.family == "rgb":
        source = PixelFormat("", "yuv", bit_depth, _420, False, "")
        return _to_rgb(planes, source, coding, bit_depth, target.bit_depth)
    luma = rescale_depth(planes[0], bit_depth, target.bit_depth, coding.full_range)
    if target.family == "gray":
        return (luma,)
    return (luma, *_convert_chroma(planes, bit_depth, _420, target.bit_depth, target.chroma_shifts, coding))


def convert_samples(planes: Planes, source: PixelFormat, target: PixelFormat, coding: ColorCoding) -> Planes:
    """Change bit depth and chroma subsampling of one Y'CbCr or grey picture; matrix and range stay those of ``coding``.

    Where one of the formats is grey, only luma is left.
    """
    luma = rescale_depth(planes[0], source.bit_depth, target.bit_depth, coding.full_range)
    if "gray" in (source.family, target.family):
        return (luma,)
    shifts = source.chroma_shifts, target.chroma_shifts
    return (luma, *_convert_chroma(planes, source.bit_depth, shifts[0], target.bit_depth, shifts[1], coding))


def _convert_chroma(
    planes: Planes, depth: int, shifts: Shifts, to_depth: int, to_shifts: Shifts, coding: ColorCoding
) -> list[NDArray[Any]]:
    if shifts == to_shifts:
        return [rescale_depth(plane, depth, to_depth, coding.full_range, chroma=True) for plane in planes[1:]]
    height, width = planes[0].shape
    converted = []
    for plane in planes[1:]:
        samples = resample_chroma(plane.astype(np.float32), height, width, shifts, to_shifts, coding.chroma_site)
        converted.append(quantize(_scale_chroma(samples, depth, to_depth, coding.full_range), to_depth))
    return converted


def _scale_chroma(plane: FloatPlane, depth: int, to_depth: int, full_range: bool) -> FloatPlane:
    if depth == to_depth:
        return plane
    factor = ((1 << to_depth) - 1) / ((1 << depth) - 1) if full_range else 2.0 ** (to_depth - depth)
    return (plane - np.float32(1 << (depth - 1))) * np.float32(factor) + np.float32(1 << (to_depth - 1))


def _to_rgb(planes: Planes, source: PixelFormat, coding: ColorCoding, depth: int, to_depth: int) -> Planes:
    top = (1 << to_depth) - 1
    if source.family == "rgb":
        return tuple(rescale_depth(plane, depth, to_depth, full_range=True) for plane in planes)
    luma = planes[0].astype(np.float32)
    if source.family == "gray":
        level = quantize(gray_to_rgb_level(luma, coding.full_range, depth, top), to_depth)
        return level, level.copy(), level.copy()
    height, width = luma.shape
    blue, red = (
        resample_chroma(plane.astype(np.float32), height, width, source.chroma_shifts, _444, coding.chroma_site)
        for plane in planes[1:]
    )
    return tuple(quantize(plane, to_depth) for plane in yuv_to_rgb(luma, blue, red, coding, depth, top))


def _from_rgb(planes: Planes, target: PixelFormat, coding: ColorCoding, depth: int) -> Planes:
    if target.family == "rgb":
        return tuple(rescale_depth(plane, depth, target.bit_depth, full_range=True) for plane in planes)
    if target.family == "gray":
        matrix = coding.matrix
        luma, _, _ = _yuv_of_rgb(planes, depth, ColorCoding(matrix, coding.full_range), target.bit_depth)
        return (quantize(luma, target.bit_depth),)
    yuv = _yuv_of_rgb(planes, depth, coding, target.bit_depth)
    return _quantize_subsampled(yuv, _444, target.chroma_shifts, coding, target.bit_depth)


def _yuv_of_rgb(planes: Planes, depth: int, coding: ColorCoding, to_depth: int) -> tuple[FloatPlane, ...]:
    r, g, b = (plane.astype(np.float32) for plane in planes)
    return rgb_to_yuv(r, g, b, coding, to_depth, (1 << depth) - 1)


def _quantize_subsampled(
    yuv: Sequence[FloatPlane], shifts: Shifts, to_shifts: Shifts, coding: ColorCoding, depth: int
) -> Planes:
    height, width = yuv[0].shape
    chroma = (resample_chroma(plane, height, width, shifts, to_shifts, coding.chroma_site) for plane in yuv[1:])
    return tuple(quantize(plane, depth) for plane in (yuv[0], *chroma))


def rgb_picture(planes: Planes, properties: VideoProperties) -> NDArray[np.uint8]:
    """A working picture as R'G'B' of 8 bits, shape (H, W, 3), to look at."""
    rgb = describe_pixel_format("rgb24")
    samples = from_working(planes, rgb, color_coding(properties), properties.working_format, properties.bit_depth)
    return np.stack(samples, axis=-1).astype(np.uint8, copy=False)
