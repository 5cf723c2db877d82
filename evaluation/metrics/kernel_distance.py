"""Kernel distance between what a network sees in two sets of pictures.

The squared maximum mean discrepancy with the kernel (x y / d + 1)^3 and its unbiased estimate, of Binkowski et al.,
"Demystifying MMD GANs" (ICLR 2018, section 4 and appendix D.1), where the network is Inception's and the distance is
called KID; values of other networks are not comparable with published ones. They take the mean over random subsets,
since kernels of all pairs cost too much. Here all pairs are taken, exactly and in constant memory: the kernel is a
polynomial, so that its sum over pairs is a sum over products of the moments of both sets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Matrix = NDArray[np.float64]

_ROWS = 512
"""Observations whose products are held at once."""


class KernelStatistics:
    """Moments up to the third of features, of as many pictures as are added."""

    def __init__(self) -> None:
        self.count = 0
        self._of_themselves = 0.0
        self._moments: list[Any] = [0.0, 0.0, 0.0]

    def add(self, features: Tensor) -> None:
        """Features (N, C, H, W); each place is one observation."""
        observed = features.movedim(1, -1).flatten(0, 2).double().cpu().numpy()
        self.count += len(observed)
        first, second = np.triu_indices(observed.shape[1])
        weights = np.where(first == second, 1.0, 2.0) ** 0.5
        for start in range(0, len(observed), _ROWS):
            rows = observed[start : start + _ROWS]
            # of products, each pair of channels once: the square of the weight counts both orders
            pairs = rows[:, first] * rows[:, second] * weights
            self._of_themselves += float((((rows**2).sum(1) / rows.shape[1] + 1) ** 3).sum())
            for number, moment in enumerate((rows.sum(0), pairs.sum(0), rows.T @ pairs)):
                self._moments[number] = self._moments[number] + moment

    def mean_kernel(self, other: KernelStatistics) -> float:
        """Of all pairs of one observation here and one there; of pairs of two different ones where both are one set."""
        size = len(self._moments[0])
        products = [float(np.vdot(ours, theirs)) for ours, theirs in zip(self._moments, other._moments, strict=True)]
        total = self.count * other.count + sum(
            weight * product / size**power
            for power, (weight, product) in enumerate(zip((3, 3, 1), products, strict=True), 1)
        )
        if self is other:
            return (total - self._of_themselves) / (self.count * (self.count - 1))
        return total / (self.count * other.count)


def kernel_distance(first: KernelStatistics, second: KernelStatistics) -> float:
    """Between two sets of at least two observations each.

    Its expectation is 0 where both come from one distribution; so an estimate may fall below.
    """
    return first.mean_kernel(first) + second.mean_kernel(second) - 2 * first.mean_kernel(second)
