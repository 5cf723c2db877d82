"""Maps of what changed in decoded video, from what its decoder says of prediction and residual."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.codec.models.picture_change import PictureChange

LEAST_SHARE = 0.5
"""Of a threshold: what is below counts as nothing. Even of still content, predictions differ a little."""


class DecodedChange:
    """Which parts of each decoded picture changed, for ``VideoNetwork.change_map``.

    A cell has changed where prediction or residual exceed their thresholds. What is between half a threshold and the
    whole adds up from picture to picture until it does, so that slow changes are seen too.
    """

    def __init__(self, prediction: float = 2.0, residual: float = 2.0) -> None:
        """
        Args:
            prediction: largest root mean square of what the prediction changes that counts as nothing, in code values
                of 8 bits; see :class:`PictureChange`.
            residual: the same of the residual.

        Raises:
            ValueError: a threshold is negative or no number.
        """
        for name, value in (("prediction", prediction), ("residual", residual)):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} = {value} must be 0 or more")
        self.prediction, self.residual = prediction, residual
        self._sums: list[NDArray[np.float32]] = []

    def __call__(self, change: PictureChange | None) -> Tensor | None:
        """True where the next picture changed, (H, W) of its own size; None where it has to be seen as a whole.

        ``change`` is that of :class:`scaleflow.codec.decoding.stream_decoder.DecodedPicture`; where there is none (key
        pictures), reset the network.
        """
        if change is None:
            self._sums = []
            return None
        parts = ((change.prediction, self.prediction), (change.residual, self.residual))
        counted = [np.where(values > LEAST_SHARE * limit, values, 0) for values, limit in parts]
        sums = [now + before for now, before in zip(counted, self._sums, strict=True)] if self._sums else counted
        cells = np.logical_or.reduce([total > limit for total, (_, limit) in zip(sums, parts, strict=True)])
        self._sums = [np.where(cells, np.float32(0), total) for total in sums]
        return torch.from_numpy(change.samples(cells))
