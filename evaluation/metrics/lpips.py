"""Learned perceptual image patch similarity (Zhang et al., CVPR 2018): network alex, heads of version 0.1.

Its network is that of :mod:`scaleflow.adversarial.lpips_network`.

In a region: outside it, the decoded picture is replaced by the original (where a mask is graded, the two are mixed by
it), so that only errors inside count. The distances at the places of each layer, of which LPIPS takes the mean, are
then weighed by how much of the region lies in each place's share of the picture, so that the size of the rest does not
count: a region that is the whole picture has the picture's LPIPS.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from scaleflow.adversarial.lpips_network import LEAST_SIDE, find_backbone, load_lpips
from scaleflow.codec.picture import Planes
from scaleflow.evaluation.metrics.metric import LocalMetric
from scaleflow.evaluation.metrics.picture_pair import PicturePair, RegionWeights
from scaleflow.optional_packages import require_packages


class Lpips(LocalMetric):
    """LPIPS of R'G'B' in -1..1; 0 is identical, lower is better. NaN for pictures with a side below LEAST_SIDE.

    Raises:
        UsageError: there are no weights for the backbone.
        DataError: the file holds something else.
    """

    def __init__(self, names: tuple[str, ...], regions: Sequence[str] = (), backbone: Path | None = None) -> None:
        require_packages("LPIPS", "evaluate", ("lpips", "torchvision"))
        super().__init__(names, regions)
        self._network = load_lpips(find_backbone(backbone))

    def measure(self, pair: PicturePair, region: str, weights: RegionWeights | None) -> dict[str, float]:
        """See :class:`LocalMetric`."""
        original, decoded = (_signed(planes, pair.form.rgb_bit_depth) for planes in pair.rgb)
        if min(original.shape[-2:]) < LEAST_SIDE:
            return {"lpips": math.nan}
        with torch.inference_mode():
            if weights is None:
                return {"lpips": float(self._network(original, decoded))}
            return {"lpips": region_lpips(self._network, original, decoded, torch.from_numpy(weights)[None, None])}


def region_lpips(network: Any, original: Tensor, decoded: Tensor, weights: Tensor) -> float:
    """LPIPS in a region, as the head of this file defines it.

    Args:
        network: of :func:`load_lpips`.
        original, decoded: (1, 3, height, width) in -1..1.
        weights: (1, 1, height, width) in 0..1, not all 0.
    """
    from lpips import normalize_tensor

    pictures = original, original + weights * (decoded - original)
    layers = zip(*(network.net(network.scaling_layer(picture)) for picture in pictures), network.lins, strict=True)
    distance = 0.0
    for first, second, head in layers:
        distances = head((normalize_tensor(first) - normalize_tensor(second)) ** 2)
        shares = adaptive_avg_pool2d(weights, distances.shape[-2:])
        distance += float((distances * shares).sum() / shares.sum())
    return distance


def _signed(planes: Planes, bit_depth: int) -> Tensor:
    half = np.float32(((1 << bit_depth) - 1) / 2)
    return torch.from_numpy(np.stack(planes).astype(np.float32) / half - 1)[None]
