"""Refinement of latents while encoding: gradient descent on what this one picture costs.

An analysis transform was trained to be good on average; for the picture at hand there are latents with fewer bits, or
less error, that the same decoder decodes. Campos et al., "Content adaptive optimization for neural image compression",
CVPR workshops 2019; Yang, Bamler and Mandt, "Improving inference for neural image compression", NeurIPS 2020.
Differences: gradients pass straight through the rounding, with steps so small that this works, in place of noise or of
annealed draws, since tens of steps must do; and motion and residual of a picture descend together, through the warp.

What is gained is this picture's own cost. Pictures that are predicted from it may lose as much again, which is why the
codec refines inter pictures only where errors outside a region of interest count less.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from scaleflow.codec.models.hyperprior import CodedLatents
from scaleflow.codec.models.picture_order import LatentRefinement
from scaleflow.codec.models.rate_distortion import ALIKE, rate_distortion_cost, squared_error
from scaleflow.codec.models.region_coding import LatentKind
from scaleflow.codec.models.scaleflow import ScaleFlowNetwork
from scaleflow.codec.models.transforms import unpack_planes

KEY_EMPHASIS = 1.5
"""How much more errors of key frames weigh than their own quality says: others are predicted from them."""

Cost = Callable[[Sequence[Tensor]], Tensor]


@dataclass(frozen=True)
class RefinedPicture:
    """What latents of a picture are refined for.

    Attributes:
        network: the model, with the float priors that its integer ones were made of.
        picture: packed, (1, 6, H, W).
        quality: (1,).
        octaves: log2 of how much wider bins are than the quality's, broadcastable to the latents; None for nowhere.
        emphasis: weights of the errors of luma (1, 1, 2 H, 2 W) and of chroma (1, 1, H, W); None for all alike.
    """

    network: ScaleFlowNetwork
    picture: Tensor
    quality: Tensor
    octaves: Tensor | None = None
    emphasis: tuple[Tensor, Tensor] | None = None

    def copy(self) -> RefinedPicture:
        """The same in tensors of its own: those made in inference mode take no part in gradients."""
        octaves = None if self.octaves is None else self.octaves.clone()
        emphasis = None if self.emphasis is None else (self.emphasis[0].clone(), self.emphasis[1].clone())
        return replace(
            self, picture=self.picture.clone(), quality=self.quality.clone(), octaves=octaves, emphasis=emphasis
        )

    def cost(self, decoded: Tensor, *coded: CodedLatents, importance: float = 1.0) -> Tensor:
        """Rate and distortion of the picture as decoded, a scalar; ``importance`` multiplies the latter."""
        bits = torch.stack([part.bits_latents + part.bits_hyper for part in coded]).sum(0)
        error = squared_error(unpack_planes(self.picture), unpack_planes(decoded), ALIKE, self.emphasis)
        pixels = self.picture.shape[2] * self.picture.shape[3] * 4
        return rate_distortion_cost(bits / pixels, importance * error, self.quality).sum()

    def log2_gain(self, kind: LatentKind) -> Tensor:
        """Of latents of a kind; bins have the width of its inverse."""
        gain: Tensor = self.network.coder(kind).gain(self.quality)
        return gain if self.octaves is None else gain - self.octaves

    def code(self, kind: LatentKind, latents: Tensor, context: Tensor | None = None) -> CodedLatents:
        """Latents as the decoder will have them, and what they cost."""
        coded: CodedLatents = self.network.coder(kind).hyperprior(latents, self.log2_gain(kind), context)
        return coded


def refine_intra(subject: RefinedPicture, latents: Tensor, refinement: LatentRefinement) -> Tensor:
    """Better intra latents (1, C, h, w) than these."""
    with _gradients(latents.device):
        subject = subject.copy()
        synthesis = subject.network.intra.synthesis

        def cost(refined: Sequence[Tensor]) -> Tensor:
            coded = subject.code("intra", refined[0])
            return subject.cost(synthesis(coded.values, subject.quality), coded, importance=KEY_EMPHASIS)

        return _descend(cost, [latents], [subject.log2_gain("intra")], refinement)[0]


def refine_inter(
    subject: RefinedPicture,
    motion: Tensor,
    residual: Tensor,
    reference: Tensor,
    motion_before: Tensor,
    residual_before: Tensor,
    refinement: LatentRefinement,
) -> tuple[Tensor, Tensor]:
    """Better latents of motion and residual (1, C, h, w) than these.

    ``reference`` is the packed picture that is predicted from; ``motion_before`` and ``residual_before`` are the
    latents that the priors see of it.
    """
    with _gradients(motion.device):
        subject, reference = subject.copy(), reference.clone()
        motion_before, residual_before = motion_before.clone(), residual_before.clone()
        network, quality = subject.network, subject.quality

        def cost(refined: Sequence[Tensor]) -> Tensor:
            coded_motion = subject.code("motion", refined[0], motion_before)
            prediction = network.predict(coded_motion.values, reference, quality).picture
            context = torch.cat((residual_before, coded_motion.values), 1)
            coded = subject.code("residual", refined[1], context)
            change = network.residual.synthesis(coded.values, quality, coded_motion.values, prediction)
            return subject.cost(prediction + change, coded_motion, coded)

        gains = [subject.log2_gain("motion"), subject.log2_gain("residual")]
        refined = _descend(cost, [motion, residual], gains, refinement)
        return refined[0], refined[1]


@contextmanager
def _gradients(device: torch.device) -> Iterator[None]:
    """Gradients within inference mode, in the arithmetic around; weights that were cast there are cast anew."""
    lower = torch.is_autocast_enabled(device.type)
    with torch.inference_mode(False), torch.enable_grad():
        with torch.autocast(device.type, torch.bfloat16, enabled=lower, cache_enabled=False):
            yield


def _descend(
    cost: Cost, latents: Sequence[Tensor], log2_gains: Sequence[Tensor], refinement: LatentRefinement
) -> list[Tensor]:
    """Adam in units of bins, so that a step means the same for all latents."""
    gains = [torch.exp2(gain).detach() for gain in log2_gains]
    binned = [(values.clone() * gain.detach()).requires_grad_() for values, gain in zip(latents, gains, strict=True)]
    optimizer = torch.optim.Adam(binned, lr=refinement.rate, betas=(0.9, 0.99))
    for step in range(refinement.steps):
        optimizer.param_groups[0]["lr"] = refinement.rate * 0.5 * (1 + math.cos(math.pi * step / refinement.steps))
        now = cost([values / gain for values, gain in zip(binned, gains, strict=True)])
        # not backward(): the weights of the network need no gradients
        for values, gradient in zip(binned, torch.autograd.grad(now, binned), strict=True):
            values.grad = gradient
        optimizer.step()
    return [(values / gain).detach() for values, gain in zip(binned, gains, strict=True)]
