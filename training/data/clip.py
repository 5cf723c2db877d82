"""A sample: successive pictures of one place, as 8-bit planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.picture import WorkingFormat
from scaleflow.errors import UsageError

Plane = NDArray[np.uint8]


@dataclass(frozen=True)
class ClipRequest:
    """What is wanted of a sample.

    Attributes:
        frames: pictures.
        crop: side of the square crop in samples, a multiple of 16.
        working_format: ``yuv420`` or ``rgb``.
        stride: the largest distance in time between successive pictures; the distance is random.
        flip: mirror at random, in both directions.
        reverse: play backwards at random.
    """

    frames: int
    crop: int
    working_format: WorkingFormat = "yuv420"
    stride: int = 1
    flip: bool = True
    reverse: bool = True

    def __post_init__(self) -> None:
        if self.frames < 1 or self.stride < 1:
            raise UsageError(f"{self.frames} pictures with a stride of {self.stride}: both must be at least 1")
        if self.crop < 16 or self.crop % 16:
            raise UsageError(f"crop {self.crop} is no positive multiple of 16")


@dataclass(frozen=True)
class Clip:
    """Pictures of one sample, uint8.

    ``planes`` are luma (T, 1, H, W) and chroma (T, 2, H / 2, W / 2), or for RGB one array (T, 3, H, W). ``mask``
    (T, 1, H, W), where the source has one, is 1 in a region of interest and 0 outside.
    """

    planes: tuple[Plane, ...]
    mask: Plane | None = None

    def __post_init__(self) -> None:
        for plane in self.planes if self.mask is None else (*self.planes, self.mask):
            if plane.dtype != np.uint8 or plane.ndim != 4:
                raise ValueError(f"planes are uint8 (T, C, H, W), not {plane.dtype} {plane.shape}")


class ClipSource(Protocol):
    """Places from which clips can be cut. Everything random comes from the generator that is passed in."""

    def __len__(self) -> int:
        """Number of places."""

    def weights(self) -> Sequence[float]:
        """How often each place is to be taken, in any unit."""

    def read(self, index: int, request: ClipRequest, generator: np.random.Generator) -> Clip:
        """A clip from one place. Raises :class:`scaleflow.errors.DataError`, naming the file, where it cannot be
        read."""

    def file_of(self, index: int) -> Path:
        """The file or folder that a place lies in, by which damage is reported."""

    def describe(self) -> str:
        """One sentence for a model card."""


def stack_pictures(pictures: Sequence[tuple[NDArray[Any], ...]], working_format: WorkingFormat) -> Clip:
    """Planes of successive pictures, each (H, W), to one clip; 10-bit samples are rounded to 8."""
    planes = [np.stack(plane) for plane in zip(*pictures, strict=True)]
    if planes[0].dtype != np.uint8:
        planes = [np.minimum((plane.astype(np.uint16) + 2) >> 2, 255) for plane in planes]
    narrow = [plane.astype(np.uint8) for plane in planes]
    if working_format == "rgb":
        return Clip((np.stack(narrow, 1),))
    return Clip((narrow[0][:, None], np.stack(narrow[1:], 1)))
