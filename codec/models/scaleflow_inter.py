"""Inter pictures of the default model, predicted from the one before: encode and decode side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.codec.models.clip_coding import motion_vectors
from scaleflow.codec.models.frozen_hyperprior import DecodedLatents, FrozenHyperprior
from scaleflow.codec.models.latent_refinement import refine_inter
from scaleflow.codec.models.scaleflow import InterPrediction, ScaleFlowNetwork, block_difference
from scaleflow.codec.models.scaleflow_picture import ScaleFlowReference
from scaleflow.codec.models.scaleflow_source import SourcePicture
from scaleflow.entropy.fixed_point import ONE
from scaleflow.entropy.symbol_coder import SymbolDecoder, SymbolEncoder
from scaleflow.quality_range import QUALITY_STEPS


@dataclass(frozen=True)
class InterPriors:
    """The frozen priors of both kinds of latents."""

    motion: FrozenHyperprior
    residual: FrozenHyperprior


@dataclass(frozen=True)
class InterPicture:
    """A picture as decoded, packed (1, 6, H, W) and not rounded yet, and what it was put together from."""

    decoded: Tensor
    prediction: InterPrediction
    motion: DecodedLatents
    residual: DecodedLatents

    @property
    def fixed_latents(self) -> tuple[Tensor, Tensor]:
        """Of motion and residual, as the next picture's priors see them."""
        return self.motion.fixed, self.residual.fixed


def encode_inter(
    network: ScaleFlowNetwork,
    priors: InterPriors,
    source: SourcePicture,
    reference: ScaleFlowReference,
    encoder: SymbolEncoder,
) -> tuple[InterPicture, dict[str, float]]:
    """Code a picture from its reference; returns it as decoded, and the ideal bits by kind of symbol."""
    bits: dict[str, float] = {}
    level = source.level
    vectors = motion_vectors(network, source.packed, reference.packed, [source.code / QUALITY_STEPS])
    difference = block_difference(source.packed, reference.packed, vectors)
    motion_before = (reference.motion / ONE).float()
    analysed = source.steer("motion", network.motion.analysis(vectors, difference, level), motion_before)
    refined: Tensor | None = None
    if source.refinement is not None and source.region is not None:
        subject = source.to_refine(network)
        expected = subject.code("motion", analysed, motion_before).values
        analysed, refined = refine_inter(
            subject,
            analysed,
            _analyse_residual(network, source, network.predict(expected, reference.packed, level).picture),
            reference.packed,
            motion_before,
            (reference.residual / ONE).float(),
            source.refinement,
        )
    motion, bits["motion"], bits["motion hyper"] = priors.motion.encode(
        analysed, source.code, reference.motion, encoder, source.bin_widths
    )
    prediction = network.predict(motion.values, reference.packed, level)
    if refined is None:
        refined = _analyse_residual(network, source, prediction.picture)
    residual, bits["residual"], bits["residual hyper"] = priors.residual.encode(
        refined, source.code, _residual_context(reference, motion), encoder, source.bin_widths
    )
    return _put_together(network, prediction, motion, residual, level), bits


def decode_inter(
    network: ScaleFlowNetwork,
    priors: InterPriors,
    size: tuple[int, int],
    code: int,
    level: Tensor,
    widths: NDArray[np.int32] | None,
    reference: ScaleFlowReference,
    decoder: SymbolDecoder,
) -> InterPicture:
    """Inverse of :func:`encode_inter`; the arguments are those of
    :func:`scaleflow.codec.models.scaleflow_intra.decode_intra`."""
    motion = priors.motion.decode(size, code, reference.motion, decoder, widths)
    residual = priors.residual.decode(size, code, _residual_context(reference, motion), decoder, widths)
    prediction = network.predict(motion.values, reference.packed, level)
    return _put_together(network, prediction, motion, residual, level)


def _put_together(
    network: ScaleFlowNetwork,
    prediction: InterPrediction,
    motion: DecodedLatents,
    residual: DecodedLatents,
    level: Tensor,
) -> InterPicture:
    change = network.residual.synthesis(residual.values, level, motion.values, prediction.picture)
    return InterPicture(prediction.picture + change, prediction, motion, residual)


def _residual_context(reference: ScaleFlowReference, motion: DecodedLatents) -> Tensor:
    """What the prior of the residual sees: the residual before, and this picture's motion."""
    return torch.cat((reference.residual, motion.fixed), 1)


def _analyse_residual(network: ScaleFlowNetwork, source: SourcePicture, prediction: Tensor) -> Tensor:
    return source.steer("residual", network.residual.analysis(source.packed - prediction, source.level, prediction))
