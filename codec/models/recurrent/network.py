"""The recurrent model: intra coding, and inter coding that carries a memory beside the decoded pictures.

A prediction is made from two decoded pictures by coded motion; what it missed is coded with networks that see the
prediction and a memory at an eighth of the size, moved by the same motion ("conditional residual coding": Brand,
Seiler and Kaup, "On benefits and challenges of conditional interframe video coding", 2022; the memory is what Li, Li
and Lu call temporal contexts, "Deep contextual video compression", NeurIPS 2021). How symbols are coded is said in
:mod:`scaleflow.codec.models.recurrent.latent_coder`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.codec.models.interpolation import double_size, enlarge, sample_at
from scaleflow.codec.models.motion import MotionAnalysis
from scaleflow.codec.models.quality import COARSEST_STEP, FINEST_STEP
from scaleflow.codec.models.recurrent.config import RecurrentConfig
from scaleflow.codec.models.recurrent.latent_coder import CodedLatents, LatentCoder, LatentSizes, SymbolContext
from scaleflow.codec.models.recurrent.motion import DecodedMotion, MotionSynthesis
from scaleflow.codec.models.recurrent.transforms import (
    MemoryUpdate,
    PictureAnalysis,
    PictureSynthesis,
    PredictionContext,
)
from scaleflow.codec.models.scaleflow import block_difference
from scaleflow.codec.models.transforms import PICTURE_CHANNELS, SAMPLE_RANGE, pack_planes, unpack_planes

PICTURE_STEPS = (COARSEST_STEP * SAMPLE_RANGE / 255, FINEST_STEP * SAMPLE_RANGE / 255)
"""Starting quantization steps of picture latents at quality 0 and 63, in their units."""

MOTION_STEPS = (2.0, 0.3)
"""The same of motion latents, in luma samples (a latent is twice the mean vector of four blocks)."""


REFERENCE_PARTS = 16
"""Pictures to predict from are rounded to parts of a code value, finer than those that are shown. Where arithmetic of
another kind moves a sum across a rounding, a sample then changes by a sixteenth, and the chain of pictures that are
predicted from it does not enlarge that as it enlarges whole code values."""


@dataclass(frozen=True)
class ReferencePicture:
    """A decoded picture to predict from: packed (N, 6, H, W), and its luma at twice the size, with half samples."""

    packed: Tensor
    doubled: Tensor

    def detach(self) -> ReferencePicture:
        """Without its history."""
        return ReferencePicture(self.packed.detach(), self.doubled.detach())


@dataclass(frozen=True)
class CodecState:
    """What the decoder keeps from picture to picture.

    ``first`` is the previous picture and ``second`` the one before it (the same after an intra picture); ``memory``
    (N, M, H / 4, W / 4); ``motion`` (N, C, h, w) the motion latents of the previous picture; the contexts are of its
    symbols.
    """

    first: ReferencePicture
    second: ReferencePicture
    memory: Tensor
    motion: Tensor
    motion_context: SymbolContext
    residual_context: SymbolContext

    def with_detached_pictures(self) -> CodecState:
        """Gradients end at the pictures; what is passed on in the memory goes on learning from the next picture."""
        return replace(self, first=self.first.detach(), second=self.second.detach())


@dataclass(frozen=True)
class Prediction:
    """Packed prediction (N, 6, H, W), memory moved alike (N, M, H / 4, W / 4), and the motion of both."""

    picture: Tensor
    memory: Tensor
    motion: DecodedMotion


class IntraCoder(nn.Module):
    """Pictures that stand alone."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.analysis = PictureAnalysis(config.intra_latents, 0, 0, 96, 192, 2)
        sizes = LatentSizes(config.intra_latents, 64, 80, 128)
        self.latents = LatentCoder(sizes, PICTURE_STEPS)
        self.synthesis = PictureSynthesis(config.intra_latents, 0, 0, 0, (24, 48, 96, 192), 3)

    def forward(self, picture: Tensor, quality: Tensor) -> tuple[Tensor, Tensor, CodedLatents]:
        """Packed picture and quality (N,) to its reconstruction, features at an eighth, and coded latents."""
        coded: CodedLatents = self.latents(self.analysis(picture, quality), quality)
        decoded, features = self.synthesis(coded.values, quality)
        return decoded, features, coded


class InterCoder(nn.Module):
    """Pictures that are predicted from others."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.config = config
        context, coarse = config.context, config.coarse_context
        self.motion_analysis = MotionAnalysis(config.motion_latents)
        motion_sizes = LatentSizes(
            config.motion_latents, 32, 40, 64, recurrent=True, mean_context=config.motion_latents, known=128
        )
        self.motion_latents = LatentCoder(motion_sizes, MOTION_STEPS, smooth=True)
        self.motion_synthesis = MotionSynthesis(config.motion_latents)
        self.context = PredictionContext(config.memory, self.motion_synthesis.width, context, coarse)
        self.analysis = PictureAnalysis(config.residual_latents, context, coarse, 96, 160, 1)
        residual_sizes = LatentSizes(
            config.residual_latents,
            64,
            80,
            128,
            exact_context=config.motion_latents,
            recurrent=True,
            mean_context=config.motion_latents + coarse,
        )
        self.latents = LatentCoder(residual_sizes, PICTURE_STEPS)
        self.synthesis = PictureSynthesis(
            config.residual_latents,
            context,
            config.motion_latents + coarse,
            PICTURE_CHANNELS,
            (24, 48, 96, 160),
            2,
        )
        self.memory = MemoryUpdate(96, config.memory)
        self.first_memory = MemoryUpdate(96, config.memory)

    def predict(self, motion_latents: Tensor, state: CodecState, quality: Tensor) -> Prediction:
        """Motion compensation of both references and of the memory."""
        motion: DecodedMotion = self.motion_synthesis(motion_latents, state.first.packed, quality)
        luma, chroma = _moved(state.first, motion.flow)
        if self.config.second_reference:
            second_luma, second_chroma = _moved(state.second, motion.second_flow)
            luma = torch.lerp(luma, second_luma, enlarge(motion.blend, 4))
            chroma = torch.lerp(chroma, second_chroma, enlarge(motion.blend, 2))
        memory = sample_at(state.memory, F.avg_pool2d(motion.flow, 2) / 8, 1, "bilinear")
        return Prediction(pack_planes(luma, chroma), memory, motion)


class RecurrentNetwork(nn.Module):
    """All networks of the recurrent model."""

    def __init__(self, config: RecurrentConfig | None = None) -> None:
        super().__init__()
        self.config = config or RecurrentConfig()
        self.intra = IntraCoder(self.config)
        self.inter = InterCoder(self.config)

    def state_after_intra(self, decoded: Tensor, features: Tensor) -> CodecState:
        """``decoded`` as the decoder keeps it, see :func:`reference_picture`; ``features`` of its synthesis."""
        reference = reference_picture(decoded)
        memory = self.inter.first_memory(features, None)
        coarse = F.avg_pool2d(decoded[:, :1], 8)
        nothing = self.inter.motion_latents.nothing_before(coarse)
        return CodecState(
            reference,
            reference,
            memory,
            torch.zeros_like(nothing.magnitudes),
            nothing,
            self.inter.latents.nothing_before(coarse),
        )

    def analyse_motion(self, picture: Tensor, state: CodecState, vectors: Tensor, quality: Tensor) -> Tensor:
        """Motion latents of packed ``picture``, before coding, from block-matched ``vectors`` (N, 2, H / 8, W / 8)."""
        difference = block_difference(picture, state.first.packed.detach(), vectors)
        latents: Tensor = self.inter.motion_analysis(vectors, difference, quality)
        return latents

    def reconstruct(
        self,
        residual: Tensor,
        prediction: Prediction,
        motion_latents: Tensor,
        contexts: tuple[Tensor, Tensor],
        quality: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Decoded packed picture, not yet rounded, and the memory after it."""
        beside = self.beside_residual(motion_latents, contexts, prediction)
        change, features = self.inter.synthesis(residual, quality, *beside)
        return prediction.picture + change, self.inter.memory(features, prediction.memory)

    def beside_residual(
        self, motion_latents: Tensor, contexts: tuple[Tensor, Tensor], prediction: Prediction
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What the synthesis of residuals takes after latents and quality."""
        fine, coarse = contexts
        return fine, torch.cat((motion_latents.to(coarse.dtype), coarse), 1), prediction.picture


def reference_picture(packed: Tensor) -> ReferencePicture:
    """A decoded picture with its half samples."""
    return ReferencePicture(packed, double_size(unpack_planes(packed)[0]))


def _moved(reference: ReferencePicture, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Luma and chroma in 0..1 of a reference, moved by a flow in luma samples at a quarter of the size."""
    luma = sample_at(reference.doubled, enlarge(flow, 4), 2)
    _, chroma = unpack_planes(reference.packed)
    return luma, sample_at(chroma, enlarge(flow, 2) / 2, 1)
