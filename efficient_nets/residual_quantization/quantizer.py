"""Uniform quantizers whose codes are exact integers, with gradients that pass straight through."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scaleflow.codec.models.layers import round_through
from scaleflow.efficient_nets.residual_quantization.clipping import Clip

MOMENTUM = 0.1
"""Share of a new batch in ranges of activations that are tracked."""

SMALLEST_STEP = 1e-12


class UniformQuantizer(nn.Module):
    """Values to integer codes; a value is its code times the step.

    Symmetric ones have the codes ``-(2^(bits-1) - 1)`` to ``2^(bits-1) - 1``. Affine ones have ``2^bits`` codes, of
    which one stands for zero (as padding is); they are counted from that one, so that here too code 0 is the value 0.

    Attributes:
        scale: the step, of shape () or, with one for each output channel, (O, 1, 1, 1). Not a number until it is set.
            A parameter where it is learned, a buffer elsewhere.
        zero_point: how many codes lie below zero; rounded where it is used. Nothing in symmetric ones.
        share: width of the range over that of the values that it was fitted to; tracked ranges keep it.
    """

    scale: Tensor
    zero_point: Tensor
    share: Tensor

    def __init__(self, bits: int, *, channels: int | None = None, affine: bool = False, learned: bool = False) -> None:
        super().__init__()
        self.bits, self.affine, self.learned = bits, affine, learned
        shape = () if channels is None else (channels, 1, 1, 1)
        unknown = torch.full(shape, torch.nan)
        if learned:
            self.scale = nn.Parameter(unknown)
        else:
            self.register_buffer("scale", unknown)
        self.register_buffer("share", torch.ones(shape))
        if affine:
            self.register_buffer("zero_point", torch.zeros(()))

    @property
    def is_set(self) -> bool:
        """Whether there is a range."""
        return not bool(self.scale.detach().isnan().any())

    @property
    def per_channel(self) -> bool:
        """Whether each output channel has its own step, as weights do."""
        return self.scale.dim() > 0

    @property
    def code_range(self) -> tuple[int, int]:
        """Least and largest code."""
        if not self.affine:
            largest = 2 ** (self.bits - 1) - 1
            return -largest, largest
        below = round(self.zero_point.item())
        return -below, 2**self.bits - 1 - below

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Codes of ``values``, integers in floating point, and the step.

        The gradient of the codes is that of values which are not rounded, and of none where they are clipped. That of a
        learned step follows from both, as in Esser et al., "Learned step size quantization", ICLR 2020, whose factor
        for it (one over the root of the number of values times the largest code) is applied.
        """
        low, high = self.code_range
        step = self.scale.clamp_min(SMALLEST_STEP)
        if self.learned and torch.is_grad_enabled():
            slow = step * (self.scale.numel() / (values.numel() * max(high, 1))) ** 0.5
            step = slow - slow.detach() + step.detach()
        return round_through((values / step).clamp(low, high)), step

    def track(self, values: Tensor) -> None:
        """Follow the values of a batch: at once for weights, gradually for activations. Learned steps do not."""
        if self.learned:
            return
        clip = Clip.around(values.detach(), self.bits, self.affine, per_channel=self.per_channel, share=self.share)
        momentum = 1.0 if self.per_channel else MOMENTUM
        self.scale.lerp_(clip.step, momentum)
        if self.affine:
            self.zero_point.lerp_(clip.zero_point, momentum)

    @torch.no_grad()
    def set_range(self, clip: Clip) -> None:
        """Take over what was found."""
        self.scale.copy_(clip.step.view_as(self.scale))
        self.share.copy_(clip.share.view_as(self.share))
        if self.affine:
            self.zero_point.copy_(clip.zero_point.view_as(self.zero_point))
