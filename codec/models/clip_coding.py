"""Clips of tensors through a codec's networks, with gradients: what a loss is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.codec.models.hyperprior import CodedLatents
from scaleflow.codec.models.motion_estimation import BLOCK, match_blocks, vector_smoothness
from scaleflow.codec.models.region_coding import LatentKind
from scaleflow.codec.models.scaleflow import InterPrediction, ScaleFlowNetwork, block_difference
from scaleflow.codec.models.scaleflow_picture import CELL
from scaleflow.codec.models.transforms import SAMPLE_RANGE, pack_planes, unpack_planes
from scaleflow.errors import UsageError

CodeLatents = Callable[[LatentKind, Tensor, Tensor | None, Tensor | None], CodedLatents]
"""Codes latents of one kind, with their context, and those that would cost least (zero where it is None)."""


@dataclass(frozen=True)
class CodedClip:
    """A clip as its decoder has it.

    Attributes:
        planes: as they were given, in 0..1, not yet rounded to code values.
        bits: estimated, of each picture, (N, T); differentiable.
    """

    planes: tuple[Tensor, ...]
    bits: Tensor

    @property
    def bits_per_pixel(self) -> Tensor:
        """Bits for each sample of luma (or of R), mean over clips and pictures; a scalar."""
        return self.bits.mean() / (self.planes[0].shape[3] * self.planes[0].shape[4])


@dataclass(frozen=True)
class InterState:
    """What the next picture is predicted from: the packed picture and the latents of motion and residual."""

    reference: Tensor
    motion: Tensor
    residual: Tensor


@dataclass(frozen=True)
class CodedInterPicture:
    """A packed picture that was predicted from the one before."""

    decoded: Tensor
    prediction: InterPrediction
    motion: CodedLatents
    residual: CodedLatents

    @property
    def bits(self) -> Tensor:
        """Of each picture of the batch, (N,)."""
        coded = self.motion, self.residual
        return sum((part.bits_latents + part.bits_hyper for part in coded), torch.zeros(()))

    def next_state(self) -> InterState:
        """For the picture that follows; gradients end here, but for those of the picture."""
        return InterState(as_reference(self.decoded), self.motion.values.detach(), self.residual.values.detach())


def code_clip(network: ScaleFlowNetwork, planes: tuple[Tensor, ...], quality: Tensor) -> CodedClip:
    """Code clips: the first picture alone, the others each from the one before as the decoder has it.

    Args:
        network: with its float priors. In training mode bits are of noise in place of rounding, so that gradients of
            the rate flow; otherwise of what is rounded.
        planes: luma (N, T, 1, H, W) and chroma (N, T, 2, ceil(H / 2), ceil(W / 2)), 0..1.
        quality: (N,), 0..63.

    Raises:
        UsageError: shapes that do not fit.
    """
    _check_shapes(planes, quality)
    luma, chroma = (padded(plane, CELL // factor) for plane, factor in zip(planes, (1, 2), strict=True))
    pictures = [pack_planes(luma[:, t], chroma[:, t]) for t in range(luma.shape[1])]
    decoded, coded = network.intra(pictures[0], quality)
    results, bits = [decoded], [coded.bits_latents + coded.bits_hyper]
    state = first_state(network, decoded)

    code = plain_coding(network, quality)
    for picture in pictures[1:]:
        inter = code_inter(network, picture, state, quality, code)
        results.append(inter.decoded)
        bits.append(inter.bits)
        state = inter.next_state()
    parts = [unpack_planes(picture.float()) for picture in results]
    whole = (torch.stack([part[n] for part in parts], 1).clamp(0, 1) for n in range(2))
    shown = (plane[..., : given.shape[3], : given.shape[4]] for plane, given in zip(whole, planes, strict=True))
    return CodedClip(tuple(shown), torch.stack(bits, 1))


def plain_coding(network: ScaleFlowNetwork, quality: Tensor) -> CodeLatents:
    """Codes latents as the analysis gives them, at qualities (N,)."""

    def code(kind: LatentKind, latents: Tensor, context: Tensor | None, cheapest: Tensor | None) -> CodedLatents:
        coder = network.coder(kind)
        coded: CodedLatents = coder.hyperprior(latents, coder.gain(quality), context)
        return coded

    return code


def first_state(network: ScaleFlowNetwork, decoded: Tensor) -> InterState:
    """What follows an intra picture."""
    height, width = decoded.shape[2] // 8, decoded.shape[3] // 8
    config = network.config
    motion = decoded.new_zeros(len(decoded), config.motion_latents, height, width)
    residual = decoded.new_zeros(len(decoded), config.residual_latents, height, width)
    return InterState(as_reference(decoded), motion, residual)


def code_inter(
    network: ScaleFlowNetwork, picture: Tensor, state: InterState, quality: Tensor, code: CodeLatents
) -> CodedInterPicture:
    """Code a packed picture from the one before; motion is searched in what the decoder has."""
    reference = state.reference
    vectors = motion_vectors(network, picture, reference.detach(), quality.tolist())
    difference = block_difference(picture, reference.detach(), vectors)
    motion = code("motion", network.motion.analysis(vectors, difference, quality), state.motion, state.motion)
    prediction = network.predict(motion.values, reference, quality)
    latents = network.residual.analysis(picture - prediction.picture, quality, prediction.picture)
    residual = code("residual", latents, torch.cat((state.residual, motion.values), 1), None)
    change = network.residual.synthesis(residual.values, quality, motion.values, prediction.picture)
    return CodedInterPicture(prediction.picture + change, prediction, motion, residual)


def motion_vectors(network: ScaleFlowNetwork, picture: Tensor, reference: Tensor, qualities: Sequence[float]) -> Tensor:
    """What block matching finds between packed pictures, (N, 2, h, w), as smooth as each clip's quality asks for.

    Zeros for networks that were not trained with it. Qualities, 0..63, are numbers of the host: tensors of another
    device would have to be waited for.
    """
    current, earlier = (unpack_planes(packed)[0].float() * 255 for packed in (picture, reference))
    if not network.config.guided_motion:
        return current.new_zeros(len(current), 2, current.shape[2] // BLOCK, current.shape[3] // BLOCK)
    smoothness = [vector_smoothness(quality) for quality in qualities]
    with torch.autocast(picture.device.type, enabled=False), torch.no_grad():
        parts = [match_blocks(current[n : n + 1], earlier[n : n + 1], price) for n, price in enumerate(smoothness)]
    return torch.cat(parts)


def as_reference(decoded: Tensor, parts: int = 1) -> Tensor:
    """A packed picture as the decoder keeps it: within range and rounded to code values of 8 bits, or to ``parts`` of
    one; gradients pass the rounding."""
    largest = 255 * parts
    values = ((decoded / SAMPLE_RANGE + 0.5) * largest).clamp(0, largest)
    rounded = values + (values.round() - values).detach()
    return (rounded / largest - 0.5) * SAMPLE_RANGE


def padded(plane: Tensor, cell: int) -> Tensor:
    """(N, T, C, H, W), enlarged on the right and below to multiples of ``cell`` by repeating the border."""
    more = (0, -plane.shape[4] % cell, 0, -plane.shape[3] % cell)
    return F.pad(plane.flatten(0, 1), more, mode="replicate").unflatten(0, plane.shape[:2])


def _check_shapes(planes: tuple[Tensor, ...], quality: Tensor) -> None:
    shapes = [tuple(plane.shape) for plane in planes]
    if shapes and len(shapes[0]) == 5:
        number, frames, _, height, width = shapes[0]
        chroma = (number, frames, 2, -(-height // 2), -(-width // 2))
        if shapes == [(number, frames, 1, height, width), chroma] and tuple(quality.shape) == (number,):
            return
    raise UsageError(
        f"planes of shapes {shapes} and quality of shape {tuple(quality.shape)}: expected luma (N, T, 1, H, W), chroma "
        "(N, T, 2, ceil(H / 2), ceil(W / 2)) and quality (N,)"
    )
