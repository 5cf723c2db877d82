"""Fréchet distance between what a network sees in two sets of pictures.

The formula is that of the Fréchet inception distance (Heusel et al., "GANs Trained by a Two Time-Scale Update Rule
Converge to a Local Nash Equilibrium", NeurIPS 2017, equation 6), but the network need not be: values of others are not
comparable with published FIDs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Matrix = NDArray[np.float64]


class FeatureStatistics:
    """Mean and covariance of features, of as many pictures as are added."""

    def __init__(self) -> None:
        self.count = 0
        self._sum: Any = 0.0
        self._products: Any = 0.0

    def add(self, features: Tensor) -> None:
        """Features (N, C, H, W); each place is one observation."""
        rows = features.movedim(1, -1).flatten(0, 2).double().cpu().numpy()
        self.count += len(rows)
        self._sum = self._sum + rows.sum(0)
        self._products = self._products + rows.T @ rows

    @property
    def mean(self) -> Matrix:
        """(C,)."""
        found: Matrix = self._sum / self.count
        return found

    @property
    def covariance(self) -> Matrix:
        """(C, C)."""
        found: Matrix = self._products / self.count - np.outer(self.mean, self.mean)
        return found


def frechet_distance(first: FeatureStatistics, second: FeatureStatistics) -> float:
    """Between two normal distributions with these means and covariances; 0 where they are alike."""
    root = _square_root(first.covariance)
    # The trace of (AB)^(1/2) is that of (A^(1/2) B A^(1/2))^(1/2), which is symmetric.
    shared = np.linalg.eigvalsh(root @ second.covariance @ root).clip(0)
    difference = first.mean - second.mean
    traces = np.trace(first.covariance) + np.trace(second.covariance) - 2 * np.sqrt(shared).sum()
    return max(0.0, float(difference @ difference + traces))


def _square_root(matrix: Matrix) -> Matrix:
    values, vectors = np.linalg.eigh(matrix)
    root: Matrix = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    return root
