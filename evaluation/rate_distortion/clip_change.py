"""Clips that are moved or reduced before all codecs, so that none finds the grid that the source was made on.

Most clips have been compressed before. A codec whose blocks lie where those of the source did codes them more cheaply
than it would code pictures of a camera: an encoder of the same family, at the same grid, above all. Moving the picture
by a few samples takes that away; reducing it takes most other traces away as well, and noise with them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.picture import Planes
from scaleflow.errors import DataError, UsageError

LARGEST_SHIFT = 64
LARGEST_REDUCTION = 8
LEAST_SIDE = 16


@dataclass(frozen=True)
class ClipChange:
    """What is done to every picture: first moved, then reduced.

    Attributes:
        shift: samples of luma that are cut off on the left and at the top, even.
        reduce: means of so many samples in each direction, rounded, take their place; what is left over on the right
            and below is cut off.
    """

    shift: tuple[int, int] = (0, 0)
    reduce: int = 1

    def __post_init__(self) -> None:
        if any(value % 2 or not 0 <= value <= LARGEST_SHIFT for value in self.shift):
            x, y = self.shift
            raise UsageError(
                f"shift {x},{y}: chroma is halved: give two even numbers within 0..{LARGEST_SHIFT}", fields=("shift",)
            )
        if not 1 <= self.reduce <= LARGEST_REDUCTION:
            raise UsageError(f"reduce {self.reduce} is outside 1..{LARGEST_REDUCTION}", fields=("reduce",))

    def __str__(self) -> str:
        """As points record it, and as options name it; empty where nothing is done."""
        x, y = self.shift
        parts = [f"shift {x},{y}"] if x or y else []
        return ", ".join(parts + ([f"reduce {self.reduce}"] if self.reduce > 1 else []))

    @classmethod
    def from_text(cls, text: str) -> ClipChange:
        """Inverse of :meth:`__str__`. Raises :class:`DataError` for what no point records."""
        found = re.fullmatch(r"(?:shift (\d{1,4}),(\d{1,4}))?(?:, )?(?:reduce (\d{1,4}))?", text)
        if found is None:
            raise DataError(f"{text!r} is no change of clips that is known here")
        x, y, factor = found.groups()
        return cls((int(x or 0), int(y or 0)), int(factor or 1))

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Of a changed picture of ``width`` x ``height`` samples.

        Raises:
            DataError: hardly anything is left.
        """
        (x, y), step = self.shift, self.reduce
        width, height = width - x, height - y
        if step > 1:
            width, height = width // (2 * step) * 2, height // (2 * step) * 2
        if min(width, height) < LEAST_SIDE:
            raise DataError(f"{self} leaves {width}x{height} samples: {LEAST_SIDE} in each direction are needed")
        return width, height

    def apply(self, planes: Planes) -> Planes:
        """A changed picture in 4:2:0, of the same bit depth."""
        height, width = planes[0].shape
        wide, high = self.size(width, height)
        x, y = self.shift
        luma = self._reduced(planes[0][y:, x:], wide, high)
        half = (wide + 1) // 2, (high + 1) // 2
        return luma, *(self._reduced(plane[y // 2 :, x // 2 :], *half) for plane in planes[1:])

    def _reduced(self, plane: NDArray[Any], width: int, height: int) -> NDArray[Any]:
        step = self.reduce
        if step == 1:
            return np.ascontiguousarray(plane[:height, :width])
        cut = plane[: height * step, : width * step].reshape(height, step, width, step)
        total = cut.sum((1, 3), dtype=np.uint32)
        reduced: NDArray[Any] = ((total + step * step // 2) // (step * step)).astype(plane.dtype)
        return reduced
