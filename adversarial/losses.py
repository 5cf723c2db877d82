"""Adversarial losses: what a discriminator's scores mean for it and for the decoder that it teaches.

Scores are not normalised; above 0 means original. Sources: non-saturating, Goodfellow et al., "Generative adversarial
nets" (NeurIPS 2014); hinge, Lim and Ye, "Geometric GAN" (2017); least squares, Mao et al. (ICCV 2017); relativistic
average, Jolicoeur-Martineau (ICLR 2019); feature matching, Wang et al., pix2pixHD (CVPR 2018).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.adversarial.discriminators import Judgement
from scaleflow.adversarial.loss_kinds import AdversarialLoss, check_loss
from scaleflow.errors import UsageError


def discriminator_loss(kind: AdversarialLoss, original: Judgement, decoded: Judgement) -> Tensor:
    """What the discriminator minimises: mean over scales, a scalar. ``decoded`` is of detached pictures.

    Raises:
        UsageError: an unknown kind.
    """
    check_loss(kind)
    pairs = zip(original.scores, decoded.scores, strict=True)
    return torch.stack([_discriminator_loss(kind, real.float(), fake.float()) for real, fake in pairs]).mean()


def generator_loss(kind: AdversarialLoss, original: Judgement | None, decoded: Judgement) -> Tensor:
    """What the decoder minimises: mean over scales, a scalar; ``original`` is needed by ``relativistic`` alone.

    Raises:
        UsageError: an unknown kind, or the judgement of originals is missing.
    """
    check_loss(kind)
    if kind == "relativistic":
        if original is None:
            raise UsageError("the relativistic loss takes the judgement of originals, too")
        pairs = zip(original.scores, decoded.scores, strict=True)
        parts = [_relativistic(fake.float(), real.detach().float()) for real, fake in pairs]
    elif kind == "non-saturating":
        parts = [F.softplus(-fake.float()).mean() for fake in decoded.scores]
    elif kind == "hinge":
        parts = [-fake.float().mean() for fake in decoded.scores]
    else:
        parts = [(fake.float() - 1).square().mean() for fake in decoded.scores]
    return torch.stack(parts).mean()


def feature_matching(original: Judgement, decoded: Judgement) -> Tensor:
    """Mean absolute difference of the discriminator's features, over layers and scales, a scalar.

    Features of originals are targets: no gradient passes into them.
    """
    pairs = zip(original.features, decoded.features, strict=True)
    return torch.stack([(real.detach().float() - fake.float()).abs().mean() for real, fake in pairs]).mean()


def accuracy(original: Judgement, decoded: Judgement) -> float:
    """Share of patches that the discriminator tells right, originals and decoded ones counting alike, 0..1."""
    right = [(real > 0).float().mean() for real in original.scores] + [
        (fake <= 0).float().mean() for fake in decoded.scores
    ]
    return float(torch.stack(right).mean())


def _discriminator_loss(kind: AdversarialLoss, real: Tensor, fake: Tensor) -> Tensor:
    if kind == "non-saturating":
        return F.softplus(-real).mean() + F.softplus(fake).mean()
    if kind == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    if kind == "least-squares":
        return (real - 1).square().mean() + fake.square().mean()
    return _relativistic(real, fake)


def _relativistic(winner: Tensor, loser: Tensor) -> Tensor:
    """The winner should score above the mean of the loser, and the other way round."""
    return F.softplus(loser.mean() - winner).mean() + F.softplus(loser - winner.mean()).mean()
