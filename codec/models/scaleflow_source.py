"""A picture that the default model is about to code, with all that was decided on it before its latents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.codec.models.bin_width_map import WIDTH_STEPS_PER_OCTAVE, BinWidthMap
from scaleflow.codec.models.latent_refinement import RefinedPicture
from scaleflow.codec.models.latent_region import LatentRegion
from scaleflow.codec.models.picture_order import LatentRefinement
from scaleflow.codec.models.region_coding import LatentKind
from scaleflow.codec.models.scaleflow import ScaleFlowNetwork


@dataclass(frozen=True)
class SourcePicture:
    """What intra and inter coding start from.

    Attributes:
        packed: (1, 6, H, W), padded to whole cells.
        level: the quality as the networks see it, (1,), 0..63.
        code: the same in sixteenths.
        widths: the map of bin widths, which is in the payload already; None where there is none.
        region: of interest; None for none.
        refinement: how latents are refined; None for not at all.
    """

    packed: Tensor
    level: Tensor
    code: int
    widths: BinWidthMap | None = None
    region: LatentRegion | None = None
    refinement: LatentRefinement | None = None

    @property
    def bin_widths(self) -> NDArray[np.int32] | None:
        """Of each position of the latents, (h, w), as the priors take them."""
        return None if self.widths is None else self.widths.widths

    def steer(self, kind: LatentKind, latents: Tensor, towards: Tensor | None = None) -> Tensor:
        """The latents to code where there is a region: perhaps nearer to ``towards``, without which it is zeros."""
        if self.region is None:
            return latents
        return self.region.steer(kind, latents, torch.zeros_like(latents) if towards is None else towards)

    def to_refine(self, network: ScaleFlowNetwork) -> RefinedPicture:
        """What its latents are refined for."""
        octaves: Tensor | None = None
        if self.widths is not None:
            octaves = torch.from_numpy(self.widths.widths).to(self.level.device).float() / WIDTH_STEPS_PER_OCTAVE
        emphasis = None if self.region is None else self.region.emphasis()
        return RefinedPicture(network, self.packed, self.level, octaves, emphasis)
