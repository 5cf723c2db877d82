"""What freezing costs: integer priors in rate, float16 transforms in rate and quality, measured on real clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.codec.frame_coder import FrameEncoder
from scaleflow.codec.models.frozen_hyperprior import ChosenLatents, FrozenHyperprior
from scaleflow.codec.models.presence import CellMask
from scaleflow.codec.models.quality import LatentGain
from scaleflow.codec.models.scaleflow_codec import ScaleFlowCodec
from scaleflow.codec.picture import Planes
from scaleflow.codec.video.reader import open_video
from scaleflow.entropy.fixed_point import ONE
from scaleflow.quality_range import QUALITY_STEPS
from scaleflow.training.codec.validation import ValidationPoint, rate_distortion_points

QUALITIES = (4.0, 24.0, 44.0, 63.0)


@dataclass(frozen=True)
class FreezingCost:
    """At one quality: bits of the integer priors over those of the floating-point ones, less one; and what float16
    transforms changed in rate (a ratio, less one) and PSNR (dB)."""

    quality: float
    integer_rate: float
    half_rate: float
    half_psnr: float


def freezing_costs(
    codec: ScaleFlowCodec, frozen: ScaleFlowCodec, clips: Sequence[Path], frames: int
) -> tuple[FreezingCost, ...]:
    """At each of :data:`QUALITIES`; nothing without clips. ``codec`` was just frozen, ``frozen`` loaded from file."""
    return tuple(_cost(codec, frozen, clips, frames, quality) for quality in QUALITIES if clips)


def _cost(
    codec: ScaleFlowCodec, frozen: ScaleFlowCodec, clips: Sequence[Path], frames: int, quality: float
) -> FreezingCost:
    before = rate_distortion_points(codec, clips, frames, [quality])
    after = rate_distortion_points(frozen, clips, frames, [quality])
    return FreezingCost(
        quality,
        integer_rate_cost(codec, clips, frames, quality),
        _mean_rate(after) / _mean_rate(before) - 1,
        float(np.mean([point.psnr for point in after]) - np.mean([point.psnr for point in before])),
    )


def _mean_rate(points: list[ValidationPoint]) -> float:
    return float(np.mean([point.bits_per_pixel for point in points]))


class _ComparedPrior(FrozenHyperprior):
    """A frozen prior that also asks the prior it was frozen from."""

    def compare_with(self, gain: LatentGain, bits: dict[str, float]) -> None:
        """Add up ideal bits in ``bits``."""
        self.float_gain, self.bits_so_far = gain, bits

    def choose(
        self,
        latents: Tensor,
        quality_code: int,
        context: Tensor | None,
        widths: NDArray[np.int32] | None = None,
        cells: CellMask | None = None,
    ) -> ChosenLatents:
        """See :class:`FrozenHyperprior`. Float priors know all latents only, so these alone are compared."""
        chosen = super().choose(latents, quality_code, context, widths, cells)
        if cells is None:
            seen = None if context is None else (context / ONE).float()
            quality = torch.tensor([quality_code / QUALITY_STEPS])
            theirs = self.source(latents, self.float_gain(quality), seen)
            self.bits_so_far["integer"] += chosen.bits + chosen.hyper_bits
            self.bits_so_far["float"] += float(theirs.bits_latents + theirs.bits_hyper)
        return chosen


def integer_rate_cost(codec: ScaleFlowCodec, clips: Sequence[Path], frames: int, quality: float) -> float:
    """Ideal bits under integer priors over those under the floating-point ones, less one; same latents, same contexts.

    ``codec`` must still hold the floating-point priors, as one that was just frozen does.
    """
    bits = {"integer": 0.0, "float": 0.0}
    network = codec.network
    priors = (codec.intra_prior, codec.motion_prior, codec.residual_prior)
    gains = (network.intra.gain, network.motion.gain, network.residual.gain)
    for prior, gain in zip(priors, gains, strict=True):
        prior.__class__ = _ComparedPrior
        assert isinstance(prior, _ComparedPrior)
        prior.compare_with(gain, bits)
    try:
        for clip in clips:
            pictures, width, height = _first_pictures(clip, frames)
            encoder = FrameEncoder(codec, width=width, height=height)
            for planes in pictures:
                encoder.encode(planes, key=False, quality=quality)
    finally:
        for prior in priors:
            prior.__class__ = FrozenHyperprior
    return bits["integer"] / bits["float"] - 1


def _first_pictures(clip: Path, frames: int) -> tuple[list[Planes], int, int]:
    with open_video(clip, working_format="yuv420") as reader:
        pictures = [picture.planes for picture in islice(reader, frames)]
        return pictures, reader.properties.width, reader.properties.height
