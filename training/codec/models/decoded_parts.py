"""What a codec's decoder has of clips, by its networks in floating point: what perceptual decoders are trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from scaleflow.codec.models.clip_coding import as_reference, code_inter, first_state, plain_coding
from scaleflow.codec.models.decoded_parts import DecodedParts
from scaleflow.codec.models.recurrent.network import REFERENCE_PARTS, RecurrentNetwork
from scaleflow.codec.models.scaleflow import ScaleFlowNetwork
from scaleflow.codec.models.transforms import unpack_planes
from scaleflow.training.codec.models.clip_training import key_picture_quality
from scaleflow.training.codec.models.recurrent import code_recurrent, vectors_between


def decoded_parts(
    network: ScaleFlowNetwork | RecurrentNetwork, pictures: Sequence[Tensor], quality: Tensor
) -> list[DecodedParts]:
    """Of clips, picture after picture, with latents rounded as in use.

    Args:
        network: of the codec, in evaluation mode.
        pictures: packed (N, 6, H / 2, W / 2); the first is coded alone, at a better quality, as in use.
        quality: (N,), 0..63.
    """
    if isinstance(network, RecurrentNetwork):
        return _recurrent_parts(network, pictures, quality)
    intra_quality = key_picture_quality(quality)
    decoded, coded = network.intra(pictures[0], intra_quality)
    state = first_state(network, decoded)
    parts = [DecodedParts(state.reference.float(), coded.values.float(), None, intra_quality)]

    code = plain_coding(network, quality)
    for picture in pictures[1:]:
        inter = code_inter(network, picture, state, quality, code)
        state = inter.next_state()
        beside = inter.motion.values.float(), inter.prediction.picture.float()
        picture_and_latents = state.reference.float(), inter.residual.values.float()
        parts.append(DecodedParts(*picture_and_latents, inter.prediction.flow.float(), quality, beside))
    return parts


def _recurrent_parts(network: RecurrentNetwork, pictures: Sequence[Tensor], quality: Tensor) -> list[DecodedParts]:
    intra_quality = key_picture_quality(quality)
    decoded, features, coded = network.intra(pictures[0], intra_quality)
    state = network.state_after_intra(as_reference(decoded, REFERENCE_PARTS), features)
    parts = [DecodedParts(state.first.packed.float(), coded.values.float(), None, intra_quality)]
    luma = torch.stack([unpack_planes(picture)[0] for picture in pictures], 1)
    vectors = vectors_between(luma, quality)
    for number, picture in enumerate(pictures[1:]):
        inter = code_recurrent(network, picture, state, vectors[:, number], quality)
        state = inter.state
        flow, latents = inter.prediction.motion.flow.float(), inter.residual.values.float()
        parts.append(DecodedParts(state.first.packed.float(), latents, flow, quality, inter.beside_residual))
    return parts
