"""All samples of a few small pictures in a small file: what a decoder is compared with.

The file is in the form of xz: of each plane in turn, luma first, all pictures, row by row. In place of a sample stands
its difference from the one to the left, less that of the row above (before the first of each stands 0), modulo 2^8 or
2^16, least significant byte first.
"""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.picture import Planes, VideoProperties
from scaleflow.errors import DataError


def write_samples(path: Path, pictures: Sequence[Planes]) -> None:
    """Keep pictures of one size and type."""
    parts = []
    for plane in zip(*pictures, strict=True):
        stack = np.stack(plane)
        stack[:, :, 1:] -= stack[:, :, :-1].copy()
        stack[:, 1:] -= stack[:, :-1].copy()
        parts.append(stack.astype(stack.dtype.newbyteorder("<")).tobytes())
    path.write_bytes(lzma.compress(b"".join(parts), preset=9 | lzma.PRESET_EXTREME))


def read_samples(path: Path, video: VideoProperties, pictures: int) -> list[Planes]:
    """Inverse of :func:`write_samples`, for ``pictures`` pictures of a video.

    Raises:
        DataError: the file is missing, or is not of these pictures.
    """
    kind = np.dtype("u1" if video.bit_depth == 8 else "<u2")
    shapes = _shapes(video)
    size = pictures * sum(height * width for height, width in shapes) * kind.itemsize
    try:
        decompressor = lzma.LZMADecompressor()
        content = decompressor.decompress(path.read_bytes(), max_length=size + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except lzma.LZMAError as error:
        raise DataError(f"{path}: is not in the form of xz: {error}") from error
    if len(content) != size:
        raise DataError(f"{path}: does not hold the samples of {pictures} pictures of {video.width}x{video.height}")
    planes, begin = [], 0
    for height, width in shapes:
        end = begin + pictures * height * width * kind.itemsize
        stack = np.frombuffer(content[begin:end], kind).reshape(pictures, height, width).astype(kind.newbyteorder("="))
        planes.append(np.cumsum(np.cumsum(stack, 1, dtype=stack.dtype), 2, dtype=stack.dtype))
        begin = end
    return list(zip(*planes, strict=True))


def hash_samples(pictures: Sequence[Planes]) -> str:
    """SHA-256 of all samples: of each picture its planes, row-major, least significant byte first."""
    digest = hashlib.sha256()
    for plane in _planes(pictures):
        digest.update(np.ascontiguousarray(plane, plane.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _planes(pictures: Sequence[Planes]) -> Iterator[NDArray[np.generic]]:
    for planes in pictures:
        yield from planes


def _shapes(video: VideoProperties) -> list[tuple[int, int]]:
    height, width = video.height, video.width
    half = (height, width) if video.working_format == "rgb" else ((height + 1) // 2, (width + 1) // 2)
    return [(height, width), half, half]
