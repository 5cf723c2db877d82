"""The region of interest of one picture, as its latents see it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.codec.models.region_coding import (
    LatentKind,
    RegionCoding,
    RegionMask,
    emphasis_of_samples,
    region_in_cells,
    region_of_latents,
)


class LatentRegion:
    """A mask on the grid of the latents, and what a way to code regions makes of it.

    Args:
        coding: how the region is coded.
        mask: of the picture's (height, width).
        cell: width and height, in samples of luma, of a position of the latents.
        quality: of the picture, 0..63.
        device: where the latents are.
    """

    def __init__(self, coding: RegionCoding, mask: RegionMask, cell: int, quality: float, device: torch.device) -> None:
        self.coding = coding
        self._quality = torch.tensor([quality], device=device)
        self._mask, self._cell = mask, cell
        self._positions = region_of_latents(mask, cell).to(device)

    def bin_widths(self, analyse: Callable[[], Tensor]) -> NDArray[np.int32]:
        """See :meth:`scaleflow.codec.models.region_coding.RegionCoding.bin_widths`."""
        return self.coding.bin_widths(analyse, self._positions, self._quality)

    def emphasis(self) -> tuple[Tensor, Tensor]:
        """What errors of samples of luma and chroma weigh; the picture is padded to whole cells."""
        octaves = torch.full_like(self._quality, self.coding.octaves)
        return emphasis_of_samples(region_in_cells(self._mask, self._cell).to(octaves.device), octaves)

    def steer(self, kind: LatentKind, latents: Tensor, towards: Tensor) -> Tensor:
        """See :meth:`scaleflow.codec.models.region_coding.RegionCoding.steer`."""
        return self.coding.steer(kind, latents, towards, self._positions, self._quality)
