"""What training for perception adds to a loss: LPIPS, flicker, and discriminators that learn at the same time.

Decoder and discriminators take their steps together, by one optimizer and one backward pass: the decoder's adversarial
loss passes through discriminators that are held, and the discriminators' own loss sees pictures that are detached. So a
checkpoint and an exact resume need nothing of their own, and a step costs one pass of the discriminators less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from scaleflow.adversarial.discriminators import (
    DiscriminatorConfig,
    Discriminators,
    Judgement,
    clip_discriminator,
    patch_discriminator,
    small_clip_discriminator,
    small_patch_discriminator,
)
from scaleflow.adversarial.flicker import flicker
from scaleflow.adversarial.health import DiscriminatorHealth
from scaleflow.adversarial.losses import accuracy, discriminator_loss, feature_matching, generator_loss
from scaleflow.adversarial.perceptual_loss import LpipsLoss
from scaleflow.training.codec.configuration import AdversarialConfig, StageConfig
from scaleflow.training.loop.parts import ParameterGroup

BUILDERS = {
    "small-patch": small_patch_discriminator,
    "small-clip": small_clip_discriminator,
    "patch": patch_discriminator,
    "clip": clip_discriminator,
}

LPIPS_PICTURES = 2
"""Pictures of each clip that LPIPS is measured on in a step, chosen at random: its network costs as much as others."""


@dataclass(frozen=True)
class ClipPair:
    """Clips as they were and as they are decoded, packed (N, T, 6, H / 2, W / 2).

    ``condition`` is what discriminators see beside them, None for nothing; ``flows`` those of pictures 1 to T - 1, none
    where they are not known.
    """

    original: Tensor
    decoded: Tensor
    condition: Tensor | None
    flows: Sequence[Tensor]


class AdversarialTerms(nn.Module):
    """Discriminators, which checkpoints hold, and losses."""

    steps: Tensor

    def __init__(self, config: AdversarialConfig, condition: DiscriminatorConfig) -> None:
        """``condition`` says what the discriminators see beside pictures; its other values do not count.

        Raises:
            UsageError, DataError: LPIPS lacks its backbone.
        """
        super().__init__()
        self.config = config
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.discriminators: Discriminators | None = None
        if config.weight:
            sizes = [BUILDERS[name]() for name in config.discriminators]
            self.discriminators = Discriminators(
                [replace(size, condition=condition.condition, latents=condition.latents) for size in sizes]
            )
        backbone = Path(config.lpips_backbone) if config.lpips_backbone else None
        # in a list: its weights are not the run's, and belong into no checkpoint
        self._lpips = [LpipsLoss(backbone)] if config.lpips else []
        self._health = DiscriminatorHealth()
        self._gradient = 0.0

    def begin(self) -> None:
        """A stage begins: the ramp starts anew."""
        self.steps.zero_()

    def parameter_group(self, stage: StageConfig) -> list[ParameterGroup]:
        """The discriminators, where the stage trains them; named as in a network that holds this as ``terms``."""
        if self.discriminators is None or not stage.adversary:
            return []
        named = list(self.discriminators.named_parameters(prefix="terms.discriminators"))
        parameters = [parameter for _, parameter in named]
        return [ParameterGroup(parameters, self.config.learning_rate, [name for name, _ in named], clipped=False)]

    def forward(self, clips: ClipPair, stage: StageConfig) -> tuple[Tensor, dict[str, float]]:
        """What is added to the loss of the decoder and of the discriminators, and what is logged of it."""
        terms: list[Tensor] = []
        scalars: dict[str, float] = {}
        if self._lpips:
            distance = self._measure_lpips(clips)
            terms.append(self.config.lpips * distance)
            scalars["lpips"] = float(distance.detach())
        if self.config.flicker and clips.flows:
            change = flicker(clips.original, clips.decoded.float(), clips.flows).mean()
            terms.append(self.config.flicker * change)
            scalars["flicker"] = float(change.detach())
        if self.discriminators is not None and stage.adversary:
            term, of_discriminators = self._adversarial(self.discriminators, clips, stage)
            terms.append(term)
            scalars |= of_discriminators
        if self.training:
            self.steps += 1
        return torch.stack(terms).sum() if terms else clips.decoded.sum() * 0, scalars

    def _measure_lpips(self, clips: ClipPair) -> Tensor:
        (network,) = self._lpips
        network.to(clips.decoded.device)
        chosen = torch.randperm(clips.decoded.shape[1])[:LPIPS_PICTURES]
        pair = (one[:, chosen].flatten(0, 1) for one in (clips.original, clips.decoded))
        distances: Tensor = network(*pair, transformed=self.training)
        return distances.float().mean()

    def _adversarial(
        self, discriminators: Discriminators, clips: ClipPair, stage: StageConfig
    ) -> tuple[Tensor, dict[str, float]]:
        config = self.config
        own, real, fake = self._teach(discriminators, clips)
        discriminators.requires_grad_(False).eval()
        seen = clips.decoded.clone()
        if seen.requires_grad:
            seen.register_hook(self._note_gradient)
        judged = discriminators(seen, clips.condition)
        discriminators.requires_grad_(True).train(self.training)
        weight = config.weight_at(stage, int(self.steps))
        loss = generator_loss(config.loss, real, judged)
        term = weight * loss
        if config.feature_matching:
            term = term + config.feature_matching * feature_matching(real, judged)
        told_right = accuracy(real, fake)
        if self.training:
            self._health.note(told_right, self._gradient)
        return term + own, {
            "adversarial": float(loss.detach()),
            "discriminator loss": float(own.detach()),
            "discriminator accuracy": told_right,
            "adversarial gradient": self._gradient,
            "adversarial weight": weight,
        }

    def _teach(self, discriminators: Discriminators, clips: ClipPair) -> tuple[Tensor, Judgement, Judgement]:
        """The discriminators' loss, and what they say of originals and of decoded pictures."""
        real = discriminators(clips.original, clips.condition)
        fake = discriminators(clips.decoded.detach(), clips.condition)
        return discriminator_loss(self.config.loss, real, fake), real, fake

    def _note_gradient(self, gradient: Tensor) -> None:
        self._gradient = float(gradient.float().norm())
