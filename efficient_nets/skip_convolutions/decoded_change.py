"""Maps of what changed in decoded video, from what its decoder says of motion and residual."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec.models.picture_change import PictureChange

LEAST_SHARE = 0.5
"""Of a threshold: what is below counts as nothing. Flow and blur of still content are small, but never 0."""


class DecodedChange:
    """Which parts of each decoded picture changed, for ``VideoNetwork.change_map``.

    A cell has changed where motion, blur or residual exceed their thresholds. What is between half a threshold and the
    whole adds up from picture to picture until it does, so that slow changes are seen too.
    """

    def __init__(self, motion: float = 0.3, residual: float = 2.0, blur: float = 1.0) -> None:
        """
        Args:
            motion: longest displacement that counts as none, in samples of luma.
            residual: largest root mean square of the residual that counts as none, in code values of 8 bits.
            blur: highest level of blur that counts as none; see :class:`PictureChange`.

        Raises:
            ValueError: a threshold is negative or no number.
        """
        for name, value in (("motion", motion), ("residual", residual), ("blur", blur)):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} = {value} must be 0 or more")
        self.motion, self.residual, self.blur = motion, residual, blur
        self._sums: list[NDArray[np.float32]] = []

    def __call__(self, change: PictureChange | None) -> Tensor | None:
        """True where the next picture changed, (H, W) of its own size; None where it has to be seen as a whole.

        ``change`` is that of :class:`codec.stream_decoder.DecodedPicture`; where there is none (key pictures), reset
        the network.
        """
        if change is None:
            self._sums = []
            return None
        parts = ((change.motion, self.motion), (change.residual, self.residual), (change.blur, self.blur))
        counted = [np.where(values > LEAST_SHARE * limit, values, 0) for values, limit in parts]
        sums = [now + before for now, before in zip(counted, self._sums, strict=True)] if self._sums else counted
        cells = np.logical_or.reduce([total > limit for total, (_, limit) in zip(sums, parts, strict=True)])
        self._sums = [np.where(cells, np.float32(0), total) for total in sums]
        return torch.from_numpy(change.samples(cells))
