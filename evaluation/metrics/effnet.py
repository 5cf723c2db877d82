"""Perception by a network that no loss of this project has seen: EfficientNet-Lite0 with its ImageNet weights.

``effnet-distance`` is built as LPIPS is (Zhang et al., CVPR 2018), without heads that were fitted to people's
judgements: features of four scales, each place normalised over its channels, mean squared differences, mean over
scales. ``effnet-frechet`` compares whole clips: the Fréchet distance (Heusel et al., NeurIPS 2017, equation 6) between
features at a sixteenth of the size, each place being one observation; it is not a published FID, whose network is
another, and falls with the number of pictures. ``effnet-kernel`` is the kernel distance of the same observations
(Binkowski et al., ICLR 2018), whose expectation does not depend on their number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.codec.picture import Planes
from scaleflow.efficient_nets.networks.efficientnet_lite import EfficientNetLiteBackbone
from scaleflow.evaluation.metrics.frechet_distance import FeatureStatistics, frechet_distance
from scaleflow.evaluation.metrics.kernel_distance import KernelStatistics, kernel_distance
from scaleflow.evaluation.metrics.metric import Metric
from scaleflow.evaluation.metrics.picture_pair import PicturePair

LEAST_SIDE = 32
"""Of smaller pictures nothing is left at the last scale."""

_SIXTEENTH = 2
"""Which of the backbone's outputs the distances of whole clips are of."""


class EffNet(Metric):
    """The three metrics; lower is better. NaN for pictures with a side below LEAST_SIDE.

    Identical pictures have 0, but for the kernel distance, which lies a little below.

    Raises:
        UsageError: the package with the weights is not installed.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(names)
        self._network = EfficientNetLiteBackbone()
        self._network.load_imagenet()
        self._network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self._normal = FeatureStatistics(), FeatureStatistics()
        self._moments = KernelStatistics(), KernelStatistics()

    @torch.inference_mode()
    def add(self, pair: PicturePair) -> None:
        """See :class:`Metric`."""
        pictures = [self._normalized(planes, pair.form.rgb_bit_depth) for planes in pair.rgb]
        large_enough = min(pictures[0].shape[-2:]) >= LEAST_SIDE
        distance = math.nan
        if large_enough:
            features = [self._network(picture) for picture in pictures]
            distance = _distance(*features)
            for number, of_picture in enumerate(features):
                if "effnet-frechet" in self.frames:
                    self._normal[number].add(of_picture[_SIXTEENTH])
                if "effnet-kernel" in self.frames:
                    self._moments[number].add(of_picture[_SIXTEENTH])
        for name, values in self.frames.items():
            values.append(distance if name == "effnet-distance" else math.nan)

    def finish(self) -> dict[str, float]:
        """See :class:`Metric`: the distances between all pictures of both."""
        found: dict[str, float] = {}
        if "effnet-frechet" in self.frames:
            found["effnet-frechet"] = frechet_distance(*self._normal) if self._normal[0].count else math.nan
        if "effnet-kernel" in self.frames:
            found["effnet-kernel"] = kernel_distance(*self._moments) if self._moments[0].count > 1 else math.nan
        return found

    def _normalized(self, planes: Planes, bit_depth: int) -> Tensor:
        samples = torch.from_numpy(np.stack(planes).astype(np.float32) / np.float32((1 << bit_depth) - 1))[None]
        mean, deviation = (
            torch.tensor(values).view(1, 3, 1, 1) for values in (self._network.mean, self._network.deviation)
        )
        return ((samples - mean) / deviation).contiguous(memory_format=torch.channels_last)


def _distance(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    scales = [
        (F.normalize(ours, dim=1) - F.normalize(theirs, dim=1)).square().sum(1).mean()
        for ours, theirs in zip(first, second, strict=True)
    ]
    return float(torch.stack(scales).mean())
