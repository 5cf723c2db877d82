"""Masks on cells of a picture, as coders of blocks and of latents see them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.encoding.region_masks import to_codes
from scaleflow.codec.models.region_coding import region_of_latents

CELL = 16
"""Samples of luma: the blocks of x264 and x265, and the cells of the default model's latents."""


def cells_of_mask(mask: NDArray[np.float32]) -> NDArray[np.float32]:
    """The highest value of a mask (height, width) in each cell, 0..1; the last cells reach beyond the border."""
    cells: NDArray[np.float32] = region_of_latents(to_codes(mask), CELL)[0, 0].numpy()
    return cells


def mask_of_cells(cells: NDArray[np.float32], shape: tuple[int, ...], size: tuple[int, int]) -> NDArray[np.float32]:
    """The mask of a plane of ``shape``, of a picture whose luma has ``size``, that is one value in each cell."""
    steps = [CELL // -(-whole // part) for whole, part in zip(size, shape, strict=True)]
    spread: NDArray[np.float32] = np.kron(cells, np.ones(steps, np.float32))[: shape[0], : shape[1]]
    return spread
