"""What the name of an FFmpeg pixel format means: family, bit depth, chroma subsampling, and its planar equivalent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import av

from scaleflow.codec.video.chroma import Shifts
from scaleflow.errors import DataError

Family = Literal["yuv", "gray", "rgb"]

_SUBSAMPLING_NAMES: dict[Shifts, str] = {
    (0, 0): "444",
    (1, 0): "422",
    (1, 1): "420",
    (0, 1): "440",
    (2, 0): "411",
    (2, 2): "410",
}
_CRASHING = "yaf"
"""Grey with transparency in floating point: FFmpeg's converter reads beyond its memory."""
_PLANAR_DEPTHS = (8, 9, 10, 12, 14, 16)


@dataclass(frozen=True)
class PixelFormat:
    """A pixel format, seen as planes of samples.

    ``bit_depth`` is that of the samples as :func:`scaleflow.codec.video.frame_planes.planes_of` delivers them (8..16);
    ``chroma_shifts`` is (horizontal, vertical) and (0, 0) for grey and RGB. ``planar_name`` names the little-endian
    FFmpeg format that holds exactly these samples and that every other layout (nv12, yuyv422, rgba ...) is unpacked to.
    """

    name: str
    family: Family
    bit_depth: int
    chroma_shifts: Shifts
    has_alpha: bool
    planar_name: str

    @property
    def is_jpeg(self) -> bool:
        """Whether the format is one of JPEG's (yuvj420p ...): full range, chroma centred."""
        return self.name.startswith("yuvj")


def yuv_name(shifts: Shifts, bit_depth: int) -> str:
    """FFmpeg's planar Y'CbCr format of this subsampling and depth."""
    return f"yuv{_SUBSAMPLING_NAMES[shifts]}p" + ("" if bit_depth == 8 else f"{bit_depth}le")


def gray_name(bit_depth: int) -> str:
    """FFmpeg's grey format of this depth."""
    return "gray" if bit_depth == 8 else f"gray{bit_depth}le"


@cache
def describe_pixel_format(name: str) -> PixelFormat:
    """Describe an FFmpeg pixel format by name.

    Raises:
        DataError: FFmpeg has no such format, or it lives in a device's memory.
    """
    try:
        layout = av.VideoFormat(name, 16, 16)
    except ValueError:
        raise DataError(
            f"{name!r} is not a pixel format that FFmpeg knows; try yuv420p, yuv422p10le, gray or rgb24"
        ) from None
    if name.startswith(_CRASHING):
        raise DataError(f"pixel format {name!r} is not supported; convert the source to gray16le")
    colors = [component for component in layout.components if not component.is_alpha]
    if not colors:
        raise DataError(f"pixel format {name!r} holds no samples in main memory; decode without hardware acceleration")
    has_alpha = len(colors) < len(layout.components)
    bits = max(component.bits for component in colors)
    depth = next((depth for depth in _PLANAR_DEPTHS if depth >= bits), 16)
    if layout.is_rgb or layout.has_palette or name.startswith("xyz"):
        return _describe_rgb(name, depth, has_alpha)
    if len(colors) == 1:
        return PixelFormat(name, "gray", depth, (0, 0), has_alpha, gray_name(depth))
    shifts = _log2_ratio(layout.chroma_width(16)), _log2_ratio(layout.chroma_height(16))
    if shifts not in _SUBSAMPLING_NAMES:
        raise DataError(f"pixel format {name!r} has a chroma subsampling that is not supported; convert it to yuv420p")
    return PixelFormat(name, "yuv", depth, shifts, has_alpha, yuv_name(shifts, depth))


def _describe_rgb(name: str, depth: int, has_alpha: bool) -> PixelFormat:
    if depth == 8:
        return PixelFormat(name, "rgb", 8, (0, 0), has_alpha, "rgb24")
    # Planar formats keep their own depth; packed ones of more than 8 bit have only a 16-bit layout in common.
    if name.startswith("gbr") and "f" not in name:
        return PixelFormat(name, "rgb", depth, (0, 0), has_alpha, f"gbrp{depth}le")
    return PixelFormat(name, "rgb", 16, (0, 0), has_alpha, "rgb48le")


def _log2_ratio(samples_of_sixteen: int) -> int:
    return (16 // samples_of_sixteen).bit_length() - 1
