"""The default model: intra and inter coding of 4:2:0 pictures with scale-space flow, at any rate.

Structure as in Agustsson et al. (CVPR 2020): an intra autoencoder, a motion autoencoder whose decoder gives flow and
scale, a warp of the previous reconstruction, and a residual autoencoder, each with its own hyperprior. What differs is
said where it is done: in :mod:`scaleflow.codec.models.transforms`, :mod:`scaleflow.codec.models.motion`,
:mod:`scaleflow.codec.models.scale_space`, :mod:`scaleflow.codec.models.quality` and
:mod:`scaleflow.codec.models.hyperprior`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.codec.models.hyperprior import INTERLEAVED, CodedLatents, MeanScaleHyperprior
from scaleflow.codec.models.interpolation import enlarge
from scaleflow.codec.models.motion import MotionAnalysis, MotionSynthesis
from scaleflow.codec.models.motion_estimation import BLOCK
from scaleflow.codec.models.quality import COARSEST_STEP, FINEST_STEP, LatentGain
from scaleflow.codec.models.region_coding import LatentKind
from scaleflow.codec.models.scale_space import scale_space_warp
from scaleflow.codec.models.transforms import (
    PICTURE_CHANNELS,
    SAMPLE_RANGE,
    AnalysisTransform,
    SynthesisTransform,
    pack_planes,
    unpack_planes,
)

COARSEST_MOTION_STEP, FINEST_MOTION_STEP = 2.0, 0.35
"""Starting quantization steps of motion latents, in luma samples (a latent is twice the mean vector of four blocks)."""


@dataclass(frozen=True)
class ScaleFlowConfig:
    """Sizes of the default model.

    Attributes:
        intra_latents, residual_latents: channels at a sixteenth of the size; they bound the quality at high rates.
        motion_latents: channels that carry motion.
        guided_motion: the encoder gives block-matched vectors to the motion encoder, which was trained with them; the
            decoder does not care.
    """

    intra_latents: int = 256
    residual_latents: int = 256
    motion_latents: int = 32
    guided_motion: bool = True

    def __post_init__(self) -> None:
        for name in ("intra_latents", "residual_latents", "motion_latents"):
            value = getattr(self, name)
            if not 8 <= value <= 384:
                raise ValueError(f"{name} = {value} is outside 8..384")


@dataclass(frozen=True)
class InterPrediction:
    """What motion compensation gives: packed prediction, flow and scale at a quarter of the size."""

    picture: Tensor
    flow: Tensor
    scale: Tensor


class IntraCoder(nn.Module):
    """Autoencoder of pictures that stand alone."""

    def __init__(self, config: ScaleFlowConfig, with_priors: bool = True) -> None:
        super().__init__()
        self.gain = LatentGain(config.intra_latents, *_steps_in_latent_units())
        self.analysis = AnalysisTransform(config.intra_latents)
        self.hyperprior = MeanScaleHyperprior(config.intra_latents, with_priors=with_priors)
        self.synthesis = SynthesisTransform(config.intra_latents)

    def forward(self, picture: Tensor, quality: Tensor) -> tuple[Tensor, CodedLatents]:
        """Packed picture (N, 6, H, W) and quality (N,) to its reconstruction and coded latents."""
        coded = self.hyperprior(self.analysis(picture, quality), self.gain(quality))
        return self.synthesis(coded.values, quality), coded


class MotionCoder(nn.Module):
    """Autoencoder of motion; its prior also sees the previous picture's motion, and neighbours decoded before."""

    def __init__(self, config: ScaleFlowConfig, with_priors: bool = True) -> None:
        super().__init__()
        self.gain = LatentGain(config.motion_latents, COARSEST_MOTION_STEP, FINEST_MOTION_STEP)
        self.analysis = MotionAnalysis(config.motion_latents)
        self.hyperprior = MeanScaleHyperprior(
            config.motion_latents,
            32,
            40,
            context=config.motion_latents,
            phases=INTERLEAVED,
            with_priors=with_priors,
        )
        self.synthesis = MotionSynthesis(config.motion_latents)


class ResidualCoder(nn.Module):
    """Autoencoder of what the prediction missed; its prior also sees motion and the previous residual."""

    def __init__(self, config: ScaleFlowConfig, with_priors: bool = True) -> None:
        super().__init__()
        self.gain = LatentGain(config.residual_latents, *_steps_in_latent_units())
        self.analysis = AnalysisTransform(config.residual_latents, conditions=PICTURE_CHANNELS)
        context = config.residual_latents + config.motion_latents
        self.hyperprior = MeanScaleHyperprior(config.residual_latents, 64, 80, context=context, with_priors=with_priors)
        self.synthesis = SynthesisTransform(config.residual_latents, config.motion_latents, PICTURE_CHANNELS)


class ScaleFlowNetwork(nn.Module):
    """All networks of the default model; ``with_priors``: see :class:`MeanScaleHyperprior`."""

    def __init__(self, config: ScaleFlowConfig | None = None, with_priors: bool = True) -> None:
        super().__init__()
        self.config = config or ScaleFlowConfig()
        self.intra = IntraCoder(self.config, with_priors)
        self.motion = MotionCoder(self.config, with_priors)
        self.residual = ResidualCoder(self.config, with_priors)

    def coder(self, kind: LatentKind) -> IntraCoder | MotionCoder | ResidualCoder:
        """The autoencoder of one kind of latents."""
        coders: dict[LatentKind, IntraCoder | MotionCoder | ResidualCoder]
        coders = {"intra": self.intra, "motion": self.motion, "residual": self.residual}
        return coders[kind]

    def predict(self, motion_latents: Tensor, reference: Tensor, quality: Tensor) -> InterPrediction:
        """Motion compensation of the packed ``reference`` (N, 6, H, W)."""
        flow, scale = self.motion.synthesis(motion_latents, reference, quality)
        luma, chroma = unpack_planes(reference)
        warped_luma = scale_space_warp(luma, enlarge(flow, 4), enlarge(scale, 4))
        warped_chroma = scale_space_warp(chroma, enlarge(flow, 2) / 2, enlarge(scale, 2))
        return InterPrediction(pack_planes(warped_luma, warped_chroma), flow, scale)


def block_difference(picture: Tensor, reference: Tensor, vectors: Tensor) -> Tensor:
    """Mean absolute difference per 8x8 block, (N, 6, h, w), between packed pictures after block-wise motion."""
    half_size = F.interpolate(vectors / 2, scale_factor=BLOCK // 2, mode="nearest")
    height, width = picture.shape[2:]
    y = torch.arange(height, device=picture.device).view(1, -1, 1)
    x = torch.arange(width, device=picture.device).view(1, 1, -1)
    grid = torch.stack(((2 * (x + half_size[:, 0]) + 1) / width - 1, (2 * (y + half_size[:, 1]) + 1) / height - 1), -1)
    moved = F.grid_sample(reference, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return F.avg_pool2d((picture - moved).abs(), BLOCK // 2)


def _steps_in_latent_units() -> tuple[float, float]:
    return COARSEST_STEP * SAMPLE_RANGE / 255, FINEST_STEP * SAMPLE_RANGE / 255
