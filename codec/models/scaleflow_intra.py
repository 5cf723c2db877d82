"""Intra pictures of the default model: encode and decode side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.codec.models.frozen_hyperprior import DecodedLatents, FrozenHyperprior
from scaleflow.codec.models.latent_refinement import refine_intra
from scaleflow.codec.models.scaleflow import ScaleFlowNetwork
from scaleflow.codec.models.scaleflow_source import SourcePicture
from scaleflow.entropy.symbol_calls import TakesSymbols
from scaleflow.entropy.symbol_coder import SymbolDecoder


@dataclass(frozen=True)
class IntraPicture:
    """A picture that was coded alone, packed (1, 6, H, W) and not rounded yet, and the latents that it was made of."""

    decoded: Tensor
    latents: DecodedLatents


def encode_intra(
    network: ScaleFlowNetwork, prior: FrozenHyperprior, source: SourcePicture, encoder: TakesSymbols
) -> tuple[Tensor, dict[str, float]]:
    """Code a picture alone.

    Returns:
        The picture as decoded, packed (1, 6, H, W), not rounded yet; and the ideal bits by kind of symbol.
    """
    analysed = source.steer("intra", network.intra.analysis(source.packed, source.level))
    if source.refinement is not None:
        analysed = refine_intra(source.to_refine(network), analysed, source.refinement)
    latents = prior.choose(analysed, source.code, None, source.bin_widths)
    latents.write(encoder)
    decoded: Tensor = network.intra.synthesis(latents.decoded.values, source.level)
    return decoded, {"intra": latents.bits, "intra hyper": latents.hyper_bits}


def decode_intra(
    network: ScaleFlowNetwork,
    prior: FrozenHyperprior,
    size: tuple[int, int],
    code: int,
    level: Tensor,
    widths: NDArray[np.int32] | None,
    decoder: SymbolDecoder,
) -> IntraPicture:
    """Inverse of :func:`encode_intra`.

    Args:
        network, prior: the transforms, and the frozen prior of the latents.
        size: rows and columns of the latents.
        code, level: the quality in sixteenths, and as the networks see it, (1,).
        widths: of bins, (h, w); None without a map.
        decoder: of the payload, after quality and map.
    """
    latents = prior.decode(size, code, None, decoder, widths)
    return IntraPicture(network.intra.synthesis(latents.values, level), latents)
