"""Where to sample so that salient places get more of the output: what a learned warp is drawn towards.

As Zheng et al., "Looking for the Devil in the Details" (TASN), CVPR 2019, sample by attention: each axis by itself, so
that the warp keeps rows and columns straight and cannot fold.
"""

from __future__ import annotations

import torch
from torch import Tensor


def sampling_targets(saliency: Tensor, side: int) -> Tensor:
    """Where a grid of ``side`` x ``side`` places of the output, borders included, is to be taken from.

    Args:
        saliency: (N, h, w), positive.

    Returns:
        (N, side * side, 2), (x, y) from -1 to 1, in rows; borders stay borders. A place gets as much of the output's
        width as its column's largest saliency has of the sum over columns, and of its height likewise.
    """
    columns = _quantiles(saliency.amax(1), side)
    rows = _quantiles(saliency.amax(2), side)
    x = columns[:, None, :].expand(-1, side, -1)
    y = rows[:, :, None].expand(-1, -1, side)
    return torch.stack((x, y), -1).flatten(1, 2)


def _quantiles(density: Tensor, count: int) -> Tensor:
    """Places (N, count) from -1 to 1 between which the piecewise constant ``density`` (N, cells) has equal shares."""
    cells = density.shape[1]
    cumulated = torch.cat((torch.zeros_like(density[:, :1]), density.cumsum(1)), 1)
    cumulated = cumulated / cumulated[:, -1:]
    wanted = torch.linspace(0, 1, count, device=density.device, dtype=density.dtype).expand(len(density), -1)
    cell = torch.searchsorted(cumulated[:, 1:-1].contiguous(), wanted.contiguous(), right=True)
    start, end = cumulated.gather(1, cell), cumulated.gather(1, cell + 1)
    within = (wanted - start) / (end - start)
    return 2 * (cell + within) / cells - 1
