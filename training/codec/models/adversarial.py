"""End-to-end training with an adversarial distortion: the whole codec, its discriminators beside it.

Veerabadran et al., "Adversarial distortion for learned video compression" (CVPR Workshops 2020): to rate and
distortion comes what a discriminator says of decoded clips. What is not known of the paper is chosen as others do it:
discriminators judge patches, and see the decoded latents beside the pictures; LPIPS may join; the rate can be held.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from scaleflow.adversarial.discriminators import DiscriminatorConfig
from scaleflow.adversarial.rate_controller import RateController
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import WorkingFormat
from scaleflow.training.codec.codec_weights import CODEC
from scaleflow.training.codec.configuration import AdversarialConfig, ModelConfig, OptimizationConfig, StageConfig
from scaleflow.training.codec.models.adversarial_terms import AdversarialTerms, ClipPair
from scaleflow.training.codec.models.clip_training import pixels_of
from scaleflow.training.codec.models.trainable import ClipBatch, DecodedClip, StepResult, TrainableModel
from scaleflow.training.loop.parts import ParameterGroup


class AdversarialTraining:
    """Implements :class:`scaleflow.training.codec.models.trainable.TrainableModel` around any codec in training."""

    name: str
    working_format: WorkingFormat

    def __init__(
        self,
        codec: TrainableModel,
        model: ModelConfig,
        adversarial: AdversarialConfig,
        optimization: OptimizationConfig,
    ) -> None:
        self.codec = codec
        self.name, self.working_format = codec.name, codec.working_format
        condition = DiscriminatorConfig(condition="none")
        if codec.name != "ssf2020":
            condition = DiscriminatorConfig(
                condition="latents", latents=max(model.intra_latents, model.residual_latents)
            )
        self._condition = condition
        parts: dict[str, nn.Module] = {"codec": codec.network, "terms": AdversarialTerms(adversarial, condition)}
        if adversarial.bits_per_pixel:
            parts["rate"] = RateController(adversarial.bits_per_pixel)
        self.network = nn.ModuleDict(parts)
        self._bf16 = optimization.precision == "bf16"

    @property
    def terms(self) -> AdversarialTerms:
        """Discriminators and losses."""
        terms = self.network["terms"]
        assert isinstance(terms, AdversarialTerms)
        return terms

    def start(self, stage: StageConfig, batches: Iterator[ClipBatch]) -> None:
        """As the codec starts."""
        self.terms.begin()
        self.codec.start(stage, batches)

    def parameter_groups(self, stage: StageConfig) -> list[ParameterGroup]:
        """Those of the codec, and discriminators where the stage has an adversary."""
        own = [
            ParameterGroup(group.parameters, group.rate, [CODEC + name for name in group.names], group.clipped)
            for group in self.codec.parameter_groups(stage)
        ]
        return [*own, *self.terms.parameter_group(stage)]

    def step(self, batch: ClipBatch, stage: StageConfig) -> StepResult:
        """The codec's step, with what perception adds to its loss."""
        result = self.codec.step(batch, stage)
        clip = result.clip
        assert clip is not None
        device = batch.planes[0].device.type
        with torch.autocast(device, torch.bfloat16, enabled=self._bf16):
            added, scalars = self.terms(self._pair(clip), stage)
        loss = result.loss + added
        controller = self.network["rate"] if "rate" in self.network else None
        if isinstance(controller, RateController):
            rate = torch.stack(clip.bits).mean() / pixels_of(clip.pictures[0])
            loss = loss + controller(rate)
            scalars["price of a bit"] = float(controller.price)
            if self.network.training:
                controller.note(_mean_of_processes(float(rate.detach()), batch.planes[0].device))
        return StepResult(
            loss, result.scalars | scalars, result.picture, result.decoded, result.prediction, result.motion
        )

    def freeze(self) -> VideoModel:
        """See :class:`scaleflow.training.codec.models.trainable.TrainableModel`."""
        return self.codec.freeze()

    def _pair(self, clip: DecodedClip) -> ClipPair:
        condition = None
        if self._condition.condition == "latents":
            channels = self._condition.latents
            padded = [nn.functional.pad(one.float(), (0, 0, 0, 0, 0, channels - one.shape[1])) for one in clip.latents]
            condition = torch.stack(padded, 1).detach()
        original, decoded = torch.stack(clip.pictures, 1), torch.stack([one.float() for one in clip.decoded], 1)
        return ClipPair(original, decoded, condition, [flow.float() for flow in clip.flows])


def _mean_of_processes(value: float, device: torch.device) -> float:
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return value
    total = torch.tensor(value, dtype=torch.float64, device=device)
    torch.distributed.all_reduce(total)
    return float(total) / torch.distributed.get_world_size()
