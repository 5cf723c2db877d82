"""Multi-scale structural similarity (Wang, Simoncelli, Bovik, Asilomar 2003), by the package pytorch-msssim.

Five scales with the paper's weights, Gaussian window of 11 samples and sigma 1.5, K1 0.01, K2 0.03.

In a region: outside it, the decoded picture is replaced by the original (where a mask is graded, the two are mixed by
it), so that only errors inside count. The local values of each scale, of which MS-SSIM takes the mean, are then
weighed by how much of the region each window sees, so that the size of the rest does not count: a region that is the
whole picture has the picture's MS-SSIM.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from scaleflow.codec.picture import Planes
from scaleflow.evaluation.metrics.metric import LocalMetric
from scaleflow.evaluation.metrics.picture_pair import PicturePair, RegionWeights
from scaleflow.optional_packages import require_packages

LEAST_SIDE = 161
"""Five scales of a window of 11 samples need pictures of more than 160 samples each way."""

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW, SIGMA = 11, 1.5
LUMINANCE_CONSTANT, STRUCTURE_CONSTANT = 0.01**2, 0.03**2
"""C1 and C2 of samples in 0..1."""


class MsSsim(LocalMetric):
    """MS-SSIM of luma, and of R'G'B' as the mean over the components; 1 is identical.

    NaN for pictures with a side below :data:`LEAST_SIDE`. Samples are divided by the largest code value, also in
    limited range.

    Raises:
        UsageError: pytorch-msssim is not installed.
    """

    def __init__(self, names: tuple[str, ...], regions: Sequence[str] = ()) -> None:
        require_packages("MS-SSIM", "evaluate", ("pytorch_msssim",))
        super().__init__(names, regions)

    def measure(self, pair: PicturePair, region: str, weights: RegionWeights | None) -> dict[str, float]:
        """See :class:`LocalMetric`."""
        values = {}
        if "ms-ssim-y" in self._names:
            depth = pair.form.yuv.pixel_format.bit_depth
            original, decoded = pair.yuv
            values["ms-ssim-y"] = _similarity(original[:1], decoded[:1], depth, weights)
        if "ms-ssim-rgb" in self._names:
            values["ms-ssim-rgb"] = _similarity(*pair.rgb, pair.form.rgb_bit_depth, weights)
        return values


def _similarity(original: Planes, decoded: Planes, bit_depth: int, weights: RegionWeights | None) -> float:
    from pytorch_msssim import ms_ssim

    if min(original[0].shape) < LEAST_SIDE:
        return math.nan
    top = np.float32((1 << bit_depth) - 1)
    pictures = [torch.from_numpy(np.stack(planes).astype(np.float32) / top)[None] for planes in (original, decoded)]
    with torch.inference_mode():
        if weights is None:
            return float(ms_ssim(*pictures, data_range=1.0))
        return region_ms_ssim(pictures[0], pictures[1], torch.from_numpy(weights)[None, None])


def region_ms_ssim(original: Tensor, decoded: Tensor, weights: Tensor) -> float:
    """MS-SSIM in a region, as the head of this file defines it: the mean over the planes.

    Args:
        original, decoded: (1, c, height, width) in 0..1, each side at least :data:`LEAST_SIDE`.
        weights: (1, 1, height, width) in 0..1, not all 0.
    """
    decoded = original + weights * (decoded - original)
    values = []
    for scale in range(len(SCALE_WEIGHTS)):
        if scale:
            # as the package halves pictures: an odd border is padded with zeros
            padding = [side % 2 for side in original.shape[2:]]
            original, decoded, weights = (
                avg_pool2d(picture, 2, padding=padding) for picture in (original, decoded, weights)
            )
        similarity, structure = _local_similarity(original, decoded)
        chosen = similarity if scale == len(SCALE_WEIGHTS) - 1 else structure
        seen = _blurred(weights)
        values.append(((chosen * seen).sum((2, 3)) / seen.sum()).relu())
    powers = torch.stack(values) ** torch.tensor(SCALE_WEIGHTS)[:, None, None]
    return float(powers.prod(0).mean())


def _local_similarity(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM around each sample, and its part without luminance, where the window lies within the picture."""
    first_mean, second_mean = _blurred(first), _blurred(second)
    variances = _blurred(first * first) - first_mean**2 + _blurred(second * second) - second_mean**2
    covariance = _blurred(first * second) - first_mean * second_mean
    structure = (2 * covariance + STRUCTURE_CONSTANT) / (variances + STRUCTURE_CONSTANT)
    means = first_mean**2 + second_mean**2
    return (2 * first_mean * second_mean + LUMINANCE_CONSTANT) / (means + LUMINANCE_CONSTANT) * structure, structure


def _blurred(planes: Tensor) -> Tensor:
    from pytorch_msssim.ssim import gaussian_filter

    places = torch.arange(WINDOW) - WINDOW // 2
    window = torch.exp(-(places**2) / (2 * SIGMA**2))
    blurred: Tensor = gaussian_filter(planes, (window / window.sum()).expand(planes.shape[1], 1, 1, WINDOW))
    return blurred
