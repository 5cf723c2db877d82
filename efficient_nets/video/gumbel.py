"""Decisions that are drawn by chance and let gradients through."""

from __future__ import annotations

import torch
from torch import Tensor

TEMPERATURE = 2 / 3


def draw_decision(log_odds: Tensor) -> Tensor:
    """1 or 0 for each entry, by its odds; gradients are those of a soft decision (straight-through).

    The Gumbel relaxation of a Bernoulli variable (Jang et al. and Maddison et al., ICLR 2017): the noise is the
    difference of two Gumbel variables, which is a logistic one.
    """
    uniform = torch.rand_like(log_odds).clamp_(1e-6, 1 - 1e-6)
    soft = torch.sigmoid((log_odds + torch.logit(uniform)) / TEMPERATURE)
    return (soft > 0.5).to(soft.dtype) + soft - soft.detach()
