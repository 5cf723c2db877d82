"""Conversion between Y'CbCr and R'G'B' for BT.601, BT.709 and BT.2020 (non-constant luminance), in both ranges.

All arithmetic is float32 on code values; results are rounded to nearest once, at the end, and never truncated. The
equations and quantisation are those of ITU-R BT.601-7, BT.709-6 and BT.2020-2 (limited range) and of JFIF (full range).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scaleflow.errors import DataError

FloatPlane = NDArray[np.float32]
ChromaSite = Literal["left", "center"]

LUMA_COEFFICIENTS: dict[str, tuple[float, float]] = {
    "bt709": (0.2126, 0.0722),
    "bt470bg": (0.299, 0.114),
    "smpte170m": (0.299, 0.114),
    "bt2020nc": (0.2627, 0.0593),
    "smpte240m": (0.212, 0.087),
    "fcc": (0.30, 0.11),
}
"""Weights (red, blue) of luma for each matrix, by FFmpeg's names (bt470bg, smpte170m: BT.601); green has the rest."""


@dataclass(frozen=True)
class ColorCoding:
    """How Y'CbCr code values relate to R'G'B': matrix (FFmpeg's name), range, and where chroma samples lie.

    ``chroma_site`` "left" is the position of MPEG-2 and its successors (on even columns, between rows), "center" that
    of JPEG (between columns, between rows).
    """

    matrix: str
    full_range: bool = False
    chroma_site: ChromaSite = "left"


def guess_matrix(height: int) -> str:
    """The matrix of an untagged picture: BT.709 from 720 lines on, BT.601 below, as players assume."""
    return "bt709" if height >= 720 else "smpte170m"


def luma_weights(matrix: str) -> tuple[float, float, float]:
    """Weights of red, green and blue in luma.

    Raises:
        DataError: the matrix has no linear form that this module implements (constant luminance, ICtCp, YCgCo).
    """
    try:
        red, blue = LUMA_COEFFICIENTS[matrix]
    except KeyError:
        known = ", ".join(sorted(LUMA_COEFFICIENTS))
        raise DataError(
            f"colour matrix {matrix!r} cannot be converted to RGB; convert the source to one of {known}, "
            "or use a model that works in yuv420"
        ) from None
    return red, 1.0 - red - blue, blue


def _levels(bit_depth: int, full_range: bool) -> tuple[float, float, float, float]:
    """Offset and extent of luma, offset and extent of chroma, in code values of ``bit_depth``."""
    if full_range:
        top = float((1 << bit_depth) - 1)
        return 0.0, top, float(1 << (bit_depth - 1)), top
    step = 2.0 ** (bit_depth - 8)
    return 16.0 * step, 219.0 * step, 128.0 * step, 224.0 * step


def yuv_to_rgb(
    luma: FloatPlane, blue: FloatPlane, red: FloatPlane, coding: ColorCoding, bit_depth: int, rgb_top: int
) -> tuple[FloatPlane, FloatPlane, FloatPlane]:
    """Unrounded R, G, B in 0..``rgb_top`` from Y, Cb, Cr code values of ``bit_depth``, all of one shape."""
    kr, kg, kb = luma_weights(coding.matrix)
    luma_offset, luma_extent, chroma_offset, chroma_extent = _levels(bit_depth, coding.full_range)
    y = (luma - np.float32(luma_offset)) * np.float32(rgb_top / luma_extent)
    cb = (blue - np.float32(chroma_offset)) * np.float32(rgb_top / chroma_extent)
    cr = (red - np.float32(chroma_offset)) * np.float32(rgb_top / chroma_extent)
    r = y + np.float32(2 * (1 - kr)) * cr
    g = y - np.float32(2 * (1 - kb) * kb / kg) * cb - np.float32(2 * (1 - kr) * kr / kg) * cr
    b = y + np.float32(2 * (1 - kb)) * cb
    return r, g, b


def rgb_to_yuv(
    r: FloatPlane, g: FloatPlane, b: FloatPlane, coding: ColorCoding, bit_depth: int, rgb_top: int
) -> tuple[FloatPlane, FloatPlane, FloatPlane]:
    """Unrounded Y, Cb, Cr code values of ``bit_depth`` from R, G, B in 0..``rgb_top``, all of one shape."""
    kr, kg, kb = luma_weights(coding.matrix)
    luma_offset, luma_extent, chroma_offset, chroma_extent = _levels(bit_depth, coding.full_range)
    y = np.float32(kr) * r + np.float32(kg) * g + np.float32(kb) * b
    cb = (b - y) * np.float32(chroma_extent / (2 * (1 - kb) * rgb_top)) + np.float32(chroma_offset)
    cr = (r - y) * np.float32(chroma_extent / (2 * (1 - kr) * rgb_top)) + np.float32(chroma_offset)
    return y * np.float32(luma_extent / rgb_top) + np.float32(luma_offset), cb, cr


def gray_to_rgb_level(luma: FloatPlane, full_range: bool, bit_depth: int, rgb_top: int) -> FloatPlane:
    """Unrounded level in 0..``rgb_top`` of R, G and B alike, from luma code values of ``bit_depth``."""
    offset, extent, _, _ = _levels(bit_depth, full_range)
    return (luma - np.float32(offset)) * np.float32(rgb_top / extent)


def quantize(plane: FloatPlane, bit_depth: int) -> NDArray[Any]:
    """Round to nearest (halves up) and clip to the code values of ``bit_depth``; uint8 up to 8 bit, else uint16."""
    rounded = np.floor(plane + np.float32(0.5))
    np.clip(rounded, 0, (1 << bit_depth) - 1, out=rounded)
    return rounded.astype(np.uint8 if bit_depth <= 8 else np.uint16)


def rescale_depth(
    plane: NDArray[Any], from_depth: int, to_depth: int, full_range: bool, chroma: bool = False
) -> NDArray[Any]:
    """Change the bit depth of code values, rounding to nearest.

    Limited range scales by a power of two, as BT.2100 and FFmpeg do. Full range maps the largest code value to the
    largest code value, with chroma scaled about its middle. Going up and down again gives the same values.
    """
    if from_depth == to_depth:
        return plane
    dtype = np.uint8 if to_depth <= 8 else np.uint16
    top = (1 << to_depth) - 1
    if full_range:
        factor = np.float32(top / ((1 << from_depth) - 1))
        values = plane.astype(np.float32)
        if chroma:
            middle = np.float32(1 << (from_depth - 1))
            return quantize((values - middle) * factor + np.float32(1 << (to_depth - 1)), to_depth)
        return quantize(values * factor, to_depth)
    if to_depth > from_depth:
        return np.left_shift(plane.astype(dtype), to_depth - from_depth, dtype=dtype)
    shift = from_depth - to_depth
    widened = plane.astype(np.uint32)
    return np.minimum((widened + (1 << (shift - 1))) >> shift, top).astype(dtype)
