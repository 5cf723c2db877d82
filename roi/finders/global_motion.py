"""Motion of the camera: what of a field of vectors one affine map explains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]
"""(h, w, 2), x and y."""

ROUNDS = 12
LEAST_SCALE = 0.25
"""Samples; smaller differences are noise of vectors in steps of a quarter."""

TUKEY = 4.685
"""Of Tukey's biweight: differences beyond so many standard deviations count for nothing."""


def global_motion(vectors: Vectors, weights: NDArray[np.float64]) -> tuple[Vectors, float]:
    """Fit an affine map of the position, robustly: most of a picture moves with the camera.

    Iteratively reweighted least squares with Tukey's biweight, from the weighted median vector on.

    Args:
        vectors: of blocks.
        weights: (h, w), what each is worth before it is compared with others; 0 where a vector says nothing.

    Returns:
        What the map gives for each block, and the standard deviation of vectors that follow it, in samples.
    """
    height, width = weights.shape
    rows, columns = np.mgrid[0:height, 0:width]
    positions = np.stack([np.ones(weights.size), columns.ravel() / width - 0.5, rows.ravel() / height - 0.5], axis=1)
    wanted, trust = vectors.reshape(-1, 2), weights.ravel()
    if not trust.any():
        return np.zeros_like(vectors), LEAST_SCALE
    fitted = np.broadcast_to(np.median(wanted[trust > 0], axis=0), wanted.shape)
    scale = LEAST_SCALE
    for _ in range(ROUNDS):
        distance = np.linalg.norm(wanted - fitted, axis=1)
        scale = max(1.4826 * _weighted_median(distance, trust), LEAST_SCALE)
        biweight = np.clip(1 - (distance / (TUKEY * scale)) ** 2, 0, 1) ** 2
        root = np.sqrt(trust * biweight)[:, None]
        solution = np.linalg.lstsq(positions * root, wanted * root, rcond=None)[0]
        fitted = positions @ solution
    return fitted.reshape(vectors.shape), scale


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulative, cumulative[-1] / 2)])
