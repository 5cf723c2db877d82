"""Multi-scale structural similarity (Wang, Simoncelli, Bovik, Asilomar 2003), by the package pytorch-msssim.

Five scales with the paper's weights, Gaussian window of 11 samples and sigma 1.5, K1 0.01, K2 0.03.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from codec.optional_packages import require_packages
from codec.picture import Planes
from evaluation.metrics.metric import Metric
from evaluation.metrics.picture_pair import PicturePair

LEAST_SIDE = 161
"""Five scales of a window of 11 samples need pictures of more than 160 samples each way."""


class MsSsim(Metric):
    """MS-SSIM of luma, and of R'G'B' as the mean over the components; 1 is identical.

    NaN for pictures with a side below :data:`LEAST_SIDE`. Samples are divided by the largest code value, also in
    limited range.

    Raises:
        UsageError: pytorch-msssim is not installed.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        require_packages("MS-SSIM", "evaluate", ("pytorch_msssim",))
        super().__init__(names)

    def add(self, pair: PicturePair) -> None:
        """Measure the next picture."""
        if "ms-ssim-y" in self.frames:
            depth = pair.form.yuv.pixel_format.bit_depth
            original, decoded = pair.yuv
            self.frames["ms-ssim-y"].append(_similarity(original[:1], decoded[:1], depth))
        if "ms-ssim-rgb" in self.frames:
            self.frames["ms-ssim-rgb"].append(_similarity(*pair.rgb, pair.form.rgb_bit_depth))


def _similarity(original: Planes, decoded: Planes, bit_depth: int) -> float:
    from pytorch_msssim import ms_ssim

    if min(original[0].shape) < LEAST_SIDE:
        return math.nan
    top = np.float32((1 << bit_depth) - 1)
    pictures = [torch.from_numpy(np.stack(planes).astype(np.float32) / top)[None] for planes in (original, decoded)]
    with torch.inference_mode():
        return float(ms_ssim(*pictures, data_range=1.0))
