"""Holds the rate of a codec in training, so that runs with and without an adversary are compared at equal rate."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scaleflow.errors import UsageError


class RateController(nn.Module):
    """A further price of a bit, which rises while the rate is above its target and falls while it is below.

    After the two-sided rate target of Mentzer et al., "High-fidelity generative image compression" (NeurIPS 2020), with
    an integrating controller in place of two fixed prices. The price is a buffer: checkpoints hold it.

    Args:
        bits_per_pixel: the target; means over batches are compared with it.
        speed: change of the price for each step at which the rate is twice its target.
        highest: bound of the price; the lowest is minus 1, where a bit of a loss that counts it once is free.
    """

    price: Tensor

    def __init__(self, bits_per_pixel: float, speed: float = 0.02, highest: float = 20.0) -> None:
        super().__init__()
        if not bits_per_pixel > 0:
            raise UsageError(f"bits_per_pixel {bits_per_pixel:g} of a rate controller is not above 0")
        self.bits_per_pixel, self.speed, self.highest = bits_per_pixel, speed, highest
        self.register_buffer("price", torch.zeros(()))

    def forward(self, bits_per_pixel: Tensor) -> Tensor:
        """What is added to the loss at a rate, a scalar with gradients."""
        return self.price.clone() * bits_per_pixel

    def note(self, bits_per_pixel: float) -> None:
        """Move the price by what a step's rate was; of all processes together, which must have one price."""
        excess = bits_per_pixel / self.bits_per_pixel - 1
        self.price.copy_((self.price + self.speed * max(-1.0, min(1.0, excess))).clamp(-1, self.highest))
