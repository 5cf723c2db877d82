"""What coding takes from a region of interest. How a region becomes that is the affair of the package ``roi``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

RegionMask = NDArray[np.uint8]
"""Of a picture's (height, width): 255 inside the region, 0 outside, other values between."""

LatentKind = Literal["intra", "motion", "residual"]


class RegionCoding(Protocol):
    """Turns a region into coder decisions. ``region`` (1, 1, h, w) is 0..1 at each position of the latents, which are
    (1, C, h, w); ``quality`` is (1,)."""

    codes_widths: bool
    """Whether streams get a map of bin widths; without one, any decoder that knows the model decodes them."""
    octaves: float
    """Half the octaves by which errors outside the region weigh less than those inside."""

    def steer(self, kind: LatentKind, latents: Tensor, towards: Tensor, region: Tensor, quality: Tensor) -> Tensor:
        """The latents to code instead of these, perhaps nearer to ``towards``, which cost least."""

    def bin_widths(self, analyse: Callable[[], Tensor], region: Tensor, quality: Tensor) -> NDArray[np.int32]:
        """Widths (h, w) of the bins of all latents, as :mod:`scaleflow.codec.models.bin_width_map` counts them.

        ``analyse`` gives the intra latents of the picture, to those who want to see what is in it.
        """


def emphasis_of_samples(mask: Tensor, octaves: Tensor) -> tuple[Tensor, Tensor]:
    """What the error of each sample of luma and of 4:2:0 chroma weighs, (N, 1, H, W) and half of that.

    ``mask`` (N, 1, H, W) is 0..1, ``octaves`` (N,) is log2 of the strength.
    """
    outside = torch.exp2(-2 * octaves)[:, None, None, None]
    luma = mask + (1 - mask) * outside
    return luma, F.avg_pool2d(luma, 2)


def region_in_cells(mask: RegionMask, cell: int) -> Tensor:
    """A mask, (1, 1, H, W) in 0..1, whose sides are filled up to whole cells with zeros."""
    height, width = mask.shape
    padded = np.pad(mask, ((0, -height % cell), (0, -width % cell)))
    return torch.from_numpy(padded.astype(np.float32) / 255)[None, None]


def region_of_latents(mask: RegionMask, cell: int) -> Tensor:
    """The highest value of a mask in each cell, (1, 1, h, w) in 0..1: what lies half in a region is in it."""
    return F.max_pool2d(region_in_cells(mask, cell), cell)
