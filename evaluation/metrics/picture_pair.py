"""Two pictures that belong together, in the forms that metrics ask for."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.picture import Planes
from scaleflow.codec.video.reader import SourcePicture
from scaleflow.evaluation.metrics.conversion import ComparisonForm
from scaleflow.evaluation.metrics.names import INSIDE, OUTSIDE

RegionWeights = NDArray[np.float32]
"""Of a picture's (height, width): how much of each sample belongs to a region, 0..1."""


class PicturePair:
    """A picture of the original and its decoded counterpart. Conversions happen once, when first asked for.

    Attributes:
        form: that of the comparison.
        number: of the picture, from 0.
        time: seconds from the first picture of the original.
        regions: by name the weights of each region that is not empty; None of the whole picture, whose name is empty.
    """

    def __init__(
        self,
        form: ComparisonForm,
        number: int,
        time: float,
        original: SourcePicture,
        decoded: SourcePicture,
        mask: RegionWeights | None = None,
    ) -> None:
        form.original.check(number, original)
        form.decoded.check(number, decoded)
        self.form, self.number, self.time = form, number, time
        self._original, self._decoded = original, decoded
        self.regions: dict[str, RegionWeights | None] = {"": None}
        if mask is not None:
            parts = {INSIDE: mask, OUTSIDE: 1 - mask}
            self.regions |= {name: weights for name, weights in parts.items() if weights.any()}

    @cached_property
    def yuv(self) -> tuple[Planes, Planes]:
        """Original and decoded as (Y, Cb, Cr) in the form of Y'CbCr metrics, or as (Y,) where one of them is grey."""
        first, second = self.form.original, self.form.decoded
        ours, theirs = first.to_yuv(self._original.planes), second.to_yuv(self._decoded.planes)
        count = min(len(ours), len(theirs))
        return ours[:count], theirs[:count]

    @cached_property
    def rgb(self) -> tuple[Planes, Planes]:
        """Original and decoded as (R, G, B), each of shape (height, width)."""
        return self.form.original.to_rgb(self._original.planes), self.form.decoded.to_rgb(self._decoded.planes)

    def is_identical(self, *, in_rgb: bool) -> bool:
        """Whether every sample is equal, of R'G'B' or of Y'CbCr."""
        return all(np.array_equal(a, b) for a, b in zip(*(self.rgb if in_rgb else self.yuv), strict=True))
