"""Samples made up where they do not count, without edges to code."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad


def fill_unknown(plane: NDArray[np.generic], known: NDArray[np.bool_], bit_depth: int) -> NDArray[np.generic]:
    """A plane whose samples that are not known continue the known ones smoothly.

    By pull and push (Gortler et al., "The Lumigraph", SIGGRAPH 1996): means of known samples on ever coarser grids fill
    what is missing on the next finer one. The middle of the range where nothing is known.
    """
    if not known.any():
        return np.full_like(plane, 1 << (bit_depth - 1))
    samples = torch.from_numpy(plane.astype(np.float32))[None, None]
    filled = _fill(samples, torch.from_numpy(known.astype(np.float32))[None, None])
    return np.where(known, plane, filled[0, 0].round().numpy().astype(plane.dtype))


def _fill(samples: Tensor, known: Tensor) -> Tensor:
    """``known`` is 0 or 1, somewhere 1."""
    if bool(known.all()):
        return samples
    height, width = samples.shape[-2:]
    border = (0, width % 2, 0, height % 2)
    share = avg_pool2d(pad(known, border), 2)
    means = avg_pool2d(pad(samples * known, border), 2) / share.clamp_min(0.25)
    coarser = _fill(means, (share > 0).float())
    finer = interpolate(coarser, scale_factor=2.0, mode="bilinear", align_corners=False)[..., :height, :width]
    return torch.where(known > 0, samples, finer)
