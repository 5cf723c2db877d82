"""How one picture is to be coded: all that a model is told beside the picture and its reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scaleflow.errors import UsageError
from scaleflow.quality_range import HIGHEST_QUALITY, is_quality

if TYPE_CHECKING:
    from scaleflow.codec.models.region_coding import RegionCoding, RegionMask

MOST_STEPS = 10_000


@dataclass(frozen=True)
class LatentRefinement:
    """How far latents descend, see :mod:`scaleflow.codec.models.latent_refinement`.

    Attributes:
        steps: of gradient descent for each picture.
        rate: largest change of a latent in a step, in quantization steps; it falls to 0 along half a cosine.

    Raises:
        UsageError: a value is out of range.
    """

    steps: int
    rate: float = 0.005

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= MOST_STEPS:
            raise UsageError(
                f"steps {self.steps} is outside 1..{MOST_STEPS}; for none, leave refinement out", fields=("steps",)
            )
        if not 0 < self.rate <= 1:
            raise UsageError(f"a rate of refinement of {self.rate:g} quantization steps is outside 0..1")


@dataclass(frozen=True)
class RegionOrder:
    """The region of interest of one picture.

    Attributes:
        mask: ``uint8`` of the picture's (height, width): 255 inside, 0 outside, other values between.
        coding: what codes it.

    Raises:
        UsageError: the mask has another type or number of dimensions.
    """

    mask: RegionMask
    coding: RegionCoding

    def __post_init__(self) -> None:
        if self.mask.dtype != np.uint8 or self.mask.ndim != 2:
            raise UsageError(
                f"a mask of {self.mask.dtype} and shape {self.mask.shape} is none of a region: give uint8 of "
                "(height, width), 255 inside"
            )


@dataclass(frozen=True)
class PictureOrder:
    """What a picture is coded at and with.

    Attributes:
        quality: 0..63; of what lies in the region, where there is one. Models of a single rate ignore it.
        region: of interest; None for none.
        refinement: gradient descent on the latents; None for none.

    Raises:
        UsageError: the quality is out of range.
    """

    quality: float
    region: RegionOrder | None = None
    refinement: LatentRefinement | None = None

    def __post_init__(self) -> None:
        if not is_quality(self.quality):
            raise UsageError(f"quality {self.quality} is outside 0..{HIGHEST_QUALITY:g}")

    def require_plain(self, model: str) -> None:
        """For models that neither code regions nor refine latents.

        Raises:
            UsageError: the order asks for one of these of ``model``, which is its name.
        """
        if self.region is not None:
            raise UsageError(f"model {model} codes no regions of interest: use the default model")
        if self.refinement is not None:
            raise UsageError(f"model {model} refines no latents: use the default model")
