"""What of an inter picture is worth its bits: cell by cell, rate against distortion at the slope of its quality.

Errors are counted in bits: squared code values over what one bit is worth at the quality's quantization step, see
:data:`scaleflow.codec.distortion.DISTORTION_OVER_STEP`. So a cell's latents are worth coding where they save more
error than they cost, and a cell whose whole error is less than the least that anything costs need not be tried.
"""

from __future__ import annotations

import os
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.codec.distortion import DISTORTION_OVER_STEP
from scaleflow.codec.models.presence import HYPER_CELL, CellMask, InterPresence, presence_bits
from scaleflow.codec.models.quality import quantization_step
from scaleflow.codec.models.scaleflow_picture import ScaleFlowReference
from scaleflow.codec.models.scaleflow_source import SourcePicture
from scaleflow.codec.models.transforms import PATCH, SAMPLE_RANGE

LEAST_BITS = float(os.environ.get("SC_T", "10"))
"""What anything other than nothing costs at least in a cell: its hyper-latents, and one symbol that is not zero."""

OPENING_BITS = 30.0
"""What the first picture of a group that leaves something out pays for saying that pictures may."""

LEFT_TO_RESIDUAL = float(os.environ.get("SC_S", "0.4"))
"""Share of an error of the prediction that the residual does not mend, where motion is decided on."""

CellValues = NDArray[np.float64]
"""Of cells, (ceil(h / 4), ceil(w / 4)), in bits."""


class InterDecisions:
    """Weighs what one picture may leave out."""

    def __init__(self, source: SourcePicture, reference: ScaleFlowReference) -> None:
        self._source = source
        self._before = reference.presence
        self._says = reference.quality.has_presence
        step = float(quantization_step(source.level))
        self._bits_of_square = (255 / SAMPLE_RANGE) ** 2 / (DISTORTION_OVER_STEP * step**2) * float(os.environ.get("SC_W", "1"))
        emphasis = None if source.region is None else source.region.emphasis()
        self._weights: Tensor | None = None
        if emphasis is not None:
            luma, chroma = emphasis
            self._weights = torch.cat((F.pixel_unshuffle(luma, 2), chroma, chroma), 1)

    def errors(self, picture: Tensor) -> CellValues:
        """Squared errors of a packed picture (1, 6, H, W) in each cell, in bits."""
        squares = (self._source.packed - picture.float()).square()
        if self._weights is not None:
            squares = squares * self._weights
        side = HYPER_CELL * PATCH
        total = squares.sum(1, keepdim=True)
        padded = F.pad(total, (0, -total.shape[3] % side, 0, -total.shape[2] % side))
        means = F.avg_pool2d(padded, side)[0, 0].double().cpu().numpy()
        bits: CellValues = means * (side * side * self._bits_of_square)
        return bits

    def worth_trying(self, errors: CellValues) -> CellMask:
        """Cells in which latents may save more than the least that they cost."""
        return errors > LEAST_BITS

    def motion(self, tried: CellMask, bits: CellValues, moved: CellValues, unmoved: CellValues) -> CellMask:
        """The cells to move, of those tried."""
        before = None if self._before is None else self._before.motion
        return self._best(tried, LEFT_TO_RESIDUAL * (unmoved - moved) - bits, before, None)

    def residual(
        self, tried: CellMask, bits: CellValues, decoded: CellValues, predicted: CellValues, motion: CellMask
    ) -> CellMask:
        """The cells that get a residual, of those tried."""
        before = None if self._before is None else self._before.residual
        return self._best(tried, predicted - decoded - bits, before, motion)

    def bits(self, presence: InterPresence) -> float:
        """What it costs to say what is present."""
        before = self._before
        if presence.complete and not self._says:
            return 0.0
        return (
            presence_bits(presence.motion, before and before.motion)
            + presence_bits(presence.residual, before and before.residual, presence.motion)
            + self._opening
        )

    @property
    def _opening(self) -> float:
        return 0.0 if self._says else OPENING_BITS

    def _best(self, tried: CellMask, gain: CellValues, before: CellMask | None, beside: CellMask | None) -> CellMask:
        """Of all that was tried, of what gains by itself, and of nothing, what is worth most."""
        candidates = [tried, tried & (gain > 0), np.zeros_like(tried)]
        values = [float(gain[cells].sum()) - self._price(cells, before, beside) for cells in candidates]
        return candidates[int(np.argmax(values))]

    def _price(self, cells: CellMask, before: CellMask | None, beside: CellMask | None) -> float:
        if cells.all() and not self._says and (beside is None or beside.all()):
            return 0.0
        return presence_bits(cells, before, beside) + self._opening
