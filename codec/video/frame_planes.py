"""Samples out of and into PyAV frames, as NumPy planes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.picture import Planes
from scaleflow.codec.video.chroma import chroma_shape
from scaleflow.codec.video.pixel_format import PixelFormat, describe_pixel_format
from scaleflow.errors import DataError

_PACKED_ORDERS: dict[str, tuple[int, tuple[int, int, int]]] = {
    "rgb24": (3, (0, 1, 2)),
    "bgr24": (3, (2, 1, 0)),
    "bgr0": (4, (2, 1, 0)),
    "rgb48le": (3, (0, 1, 2)),
    "rgb48be": (3, (0, 1, 2)),
}
"""Samples a pixel and the places of red, green and blue among them."""

_GBR_ORDER = (2, 0, 1)
"""Where R, G and B are among the planes of FFmpeg's gbrp formats."""


def planes_of(frame: av.VideoFrame) -> tuple[Planes, PixelFormat]:
    """Copy a frame's samples: (Y, Cb, Cr), (Y,) or (R, G, B), and the format that they have. Alpha is left out.

    Layouts other than planar little-endian ones are unpacked by FFmpeg first, which moves samples and changes none.

    Raises:
        DataError: FFmpeg cannot unpack this format.
    """
    pixel_format = describe_pixel_format(frame.format.name)
    layout = pixel_format.planar_name
    if pixel_format.name not in (layout, layout.replace("yuv", "yuvj"), "gbrp"):
        try:
            frame = frame.reformat(format=layout)
        except OSError as error:
            raise DataError(
                f"FFmpeg cannot unpack pixel format {pixel_format.name!r}; convert the source to {layout}"
            ) from error
    elif pixel_format.name == "gbrp":
        layout = "gbrp"
    if layout in _PACKED_ORDERS:
        samples, order = _PACKED_ORDERS[layout]
        packed = _view(frame, 0, frame.height, frame.width * samples, layout).reshape(
            frame.height, frame.width, samples
        )
        return tuple(np.ascontiguousarray(packed[:, :, place]) for place in order), pixel_format
    shapes = _plane_shapes(pixel_format, frame.height, frame.width)
    planes = [_view(frame, index, *shape, layout).copy() for index, shape in enumerate(shapes)]
    if layout.startswith("gbr"):
        planes = [planes[index] for index in _GBR_ORDER]
    return tuple(planes), pixel_format


def frame_from_planes(planes: Sequence[NDArray[Any]], layout: str) -> av.VideoFrame:
    """A new frame that holds ``planes``, of a ``layout`` that is planar Y'CbCr, grey or gbrp, or packed RGB."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, layout)
    if layout in _PACKED_ORDERS:
        samples, order = _PACKED_ORDERS[layout]
        packed = _view(frame, 0, height, width * samples, layout).reshape(height, width, samples)
        if samples > 3:
            packed[:, :, 3:] = 255
        for plane, place in zip(planes, order, strict=True):
            packed[:, :, place] = plane
        return frame
    if layout.startswith("gbr"):
        planes = [planes[_GBR_ORDER.index(index)] for index in range(3)]
    for index, plane in enumerate(planes):
        _view(frame, index, plane.shape[0], plane.shape[1], layout)[...] = plane
    return frame


def _plane_shapes(pixel_format: PixelFormat, height: int, width: int) -> list[tuple[int, int]]:
    if pixel_format.family == "gray":
        return [(height, width)]
    chroma = chroma_shape(height, width, pixel_format.chroma_shifts)
    return [(height, width), chroma, chroma]


def _view(frame: av.VideoFrame, index: int, rows: int, samples: int, layout: str) -> NDArray[Any]:
    """The samples of one plane of a frame as a writable array that shares its memory, without the padding of lines."""
    plane = frame.planes[index]
    size = 1 if describe_pixel_format(layout).bit_depth <= 8 else 2
    dtype = np.dtype(np.uint8) if size == 1 else np.dtype(np.uint16).newbyteorder(">" if layout.endswith("be") else "<")
    lines = np.frombuffer(plane, np.uint8, count=plane.line_size * rows).reshape(rows, plane.line_size)  # type: ignore[call-overload]
    return lines[:, : samples * size].view(dtype)
