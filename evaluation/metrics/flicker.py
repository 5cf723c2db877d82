"""Flicker: what changes from picture to picture in the decoded video but not in the original.

The error of a picture (decoded less original) is compared with the error of the picture before, at the place where the
original's motion says that it was: errors that stay on their object do not count, detail that comes and goes does. As
in Lai et al., "Learning blind video temporal consistency" (ECCV 2018), with block-matched motion of the original.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.codec.models.interpolation import sample_at
from scaleflow.codec.models.motion_estimation import BLOCK, match_blocks
from scaleflow.evaluation.metrics.metric import Metric
from scaleflow.evaluation.metrics.picture_pair import PicturePair

_SMOOTHNESS = 4.0
"""Price of vectors that differ from their neighbours, in the units of the block search."""


class Flicker(Metric):
    """Mean absolute change of the error of luma along the motion, in code values of 8 bits; 0 is none, lower is better.

    The first picture has none, and is NaN.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(names)
        self._before: tuple[Tensor, Tensor] | None = None

    @torch.inference_mode()
    def add(self, pair: PicturePair) -> None:
        """See :class:`Metric`."""
        scale = 255 / ((1 << pair.form.yuv.pixel_format.bit_depth) - 1)
        original, decoded = (
            _padded(torch.from_numpy(planes[0].astype(np.float32))[None, None] * scale) for planes in pair.yuv
        )
        height, width = pair.yuv[0][0].shape
        value = math.nan
        if self._before is not None:
            earlier, error_before = self._before
            vectors = match_blocks(original, earlier, _SMOOTHNESS)
            moved = sample_at(error_before, F.interpolate(vectors, scale_factor=BLOCK, mode="nearest"), 1, "bilinear")
            value = float((decoded - original - moved)[..., :height, :width].abs().mean())
        self._before = original, decoded - original
        self.frames["flicker"].append(value)


def _padded(luma: Tensor) -> Tensor:
    """Enlarged to whole blocks of 16 samples."""
    return F.pad(luma, (0, -luma.shape[3] % 16, 0, -luma.shape[2] % 16), mode="replicate")
