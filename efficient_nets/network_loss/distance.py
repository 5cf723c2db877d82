"""How far what a network finds in a changed picture is from what it finds in the original."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.efficient_nets.tasks.description import Gives

LEAST_ENERGY = 1e-6
"""Of what differences are divided by: nothing is far from nothing."""


def output_distance(gives: Gives, original: Tensor, changed: Tensor) -> Tensor:
    """Of outputs of each picture, (N,); 0 where they are the same.

    Of classes, of positions or of pictures, it is the Kullback-Leibler divergence in nats, mean over positions: what
    distillation teaches a student (Hinton et al., "Distilling the knowledge in a neural network", 2015), here the
    codec. Of places and of pictures, it is the squared difference over the variance of the outputs of the original.

    Args:
        gives: what the outputs are.
        original, changed: (N, C, h, w), or (N, C) of actions; without gradients and with them.
    """
    if gives in ("labels", "actions"):
        wanted, found = F.log_softmax(original, 1), F.log_softmax(changed, 1)
        divergence = F.kl_div(found, wanted, reduction="none", log_target=True).sum(1)
        return divergence.flatten(1).mean(1) if divergence.dim() > 1 else divergence
    energy = (original - original.mean((2, 3), keepdim=True)).square()
    return _relative(original, changed, energy)


def feature_distance(original: Tensor, changed: Tensor) -> Tensor:
    """Squared difference of the features of each picture over their energy, (N,); 0 where they are the same."""
    return _relative(original, changed, original.square())


def _relative(original: Tensor, changed: Tensor, energy: Tensor) -> Tensor:
    difference = (changed - original).square().flatten(1).mean(1)
    return difference / torch.clamp(energy.flatten(1).mean(1), min=LEAST_ENERGY)
