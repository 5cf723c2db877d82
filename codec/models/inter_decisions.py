"""What of an inter picture is worth its bits: cell by cell, rate against distortion at the slope of its quality.

Errors are counted in bits: squared code values over what one bit is worth at the quality's quantization step, see
:data:`scaleflow.codec.distortion.DISTORTION_OVER_STEP`. So a cell's latents are worth coding where they save more
error than they cost, and a cell whose whole error is less than the least that anything costs need not be tried.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.codec.distortion import DISTORTION_OVER_STEP
from scaleflow.codec.models.presence import HYPER_CELL, CellMask, CellValues, InterPresence, cells_above, presence_bits
from scaleflow.codec.models.quality import quantization_step
from scaleflow.codec.models.scaleflow_picture import ScaleFlowReference
from scaleflow.codec.models.scaleflow_source import SourcePicture
from scaleflow.codec.models.transforms import PATCH, SAMPLE_RANGE

LEAST_BITS = 10.0
"""What anything other than nothing costs at least in a cell: its hyper-latents, and one symbol that is not zero."""

OPENING_BITS = 30.0
"""What the first picture of a group that leaves something out pays for saying that pictures may."""

IMPORTANCE = 4.0
"""How much more errors weigh than the quality's slope says: the pictures that follow inherit them. Found by trial on
clips that move: with 1, clips that need all they are given lose a quarter; from 2 to 6 little changes."""

SECOND_PASS_SAVES = 0.08
"""Least share of the bits of a kind that must be saved for its latents to be chosen once more without some cells."""

NO_BETTER = 1.1
"""A cell is tried again when its error has grown by this since it was not worth its bits."""


class InterDecisions:
    """Weighs what one picture may leave out."""

    def __init__(self, source: SourcePicture, reference: ScaleFlowReference) -> None:
        self._source = source
        self._before = reference.said_present
        self._cells = cells_above(reference.size)
        self._shown = -(-reference.geometry.height // 2), -(-reference.geometry.width // 2)
        self._says, self._failed = reference.quality.has_presence, reference.failed
        step = float(quantization_step(source.level))
        self._bits_of_square = IMPORTANCE * (255 / SAMPLE_RANGE) ** 2 / (DISTORTION_OVER_STEP * step**2)
        emphasis = None if source.region is None else source.region.emphasis()
        self._weights: Tensor | None = None
        if emphasis is not None:
            luma, chroma = emphasis
            self._weights = torch.cat((F.pixel_unshuffle(luma, 2), chroma, chroma), 1)

    def errors(self, picture: Tensor) -> CellValues:
        """Squared errors of a packed picture (1, 6, H, W) in each cell, in bits; padding does not count."""
        squares = (self._source.packed - picture.float()).square()
        if self._weights is not None:
            squares = squares * self._weights
        side = HYPER_CELL * PATCH
        height, width = self._shown
        total = squares.sum(1, keepdim=True)[:, :, :height, :width]
        rows, columns = self._cells
        padded = F.pad(total, (0, columns * side - width, 0, rows * side - height))
        means = F.avg_pool2d(padded, side)[0, 0].double().cpu().numpy()
        bits: CellValues = means * (side * side * self._bits_of_square)
        return bits

    def motion(self, unmoved: CellValues) -> Trial:
        """Of motion; ``unmoved`` are the errors without."""
        failed = None if self._failed is None else self._failed.motion
        return Trial(unmoved, failed, self._before[0], None, self._says)

    def residual(self, predicted: CellValues, motion: CellMask) -> Trial:
        """Of the residual; ``predicted`` are the errors without, ``motion`` is what cells are moved."""
        failed = None if self._failed is None else self._failed.residual
        return Trial(predicted, failed, self._before[1], motion, self._says)

    def bits(self, presence: InterPresence) -> float:
        """What it costs to say what is present."""
        if presence.complete and not self._says:
            return 0.0
        return (
            presence_bits(presence.motion, self._before[0])
            + presence_bits(presence.residual, self._before[1], presence.motion)
            + (0.0 if self._says else OPENING_BITS)
        )


class Trial:
    """Whether latents of one kind are worth their bits, cell by cell.

    Attributes:
        tried: the cells to choose latents in first.
        failed: of each cell the error at which latents were not worth their bits when they were last tried, for the
            next picture; 0 where they were.
    """

    def __init__(
        self,
        errors: CellValues,
        failed: CellValues | None,
        before: CellMask | None,
        beside: CellMask | None,
        says: bool,
    ) -> None:
        self._errors, self._before, self._beside, self._says = errors, before, beside, says
        self.failed = np.zeros_like(errors) if failed is None else failed
        self.tried: CellMask = errors > np.maximum(LEAST_BITS, NO_BETTER * self.failed)

    def keep(self, bits: CellValues, errors: CellValues) -> CellMask:
        """The cells to keep of those tried, which took ``bits`` and left ``errors``: what is worth most of all of them,
        those that gain by themselves, and none."""
        tried, gain = self.tried, self._errors - errors - bits
        kept = tried & (gain > 0)
        values = {name: self._value(cells, gain) for name, cells in (("all", tried), ("some", kept))}
        self.failed = np.where(tried, np.where(kept, 0.0, self._errors), self.failed)
        if values["some"] - values["all"] <= SECOND_PASS_SAVES * bits.sum():
            kept = tried
        none = np.zeros_like(tried)
        return none if self._value(none, gain) >= self._value(kept, gain) else kept

    def _value(self, cells: CellMask, gain: CellValues) -> float:
        """What cells gain, less what it costs to say which they are."""
        value = float(gain[cells].sum())
        if cells.all() and not self._says and (self._beside is None or self._beside.all()):
            return value
        return value - presence_bits(cells, self._before, self._beside) - (0.0 if self._says else OPENING_BITS)
