"""Training of the perceptual decoder, for a codec that stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from scaleflow.adversarial.discriminators import DiscriminatorConfig
from scaleflow.adversarial.second_synthesis import SecondSynthesis
from scaleflow.adversarial.visible_error import visible_error
from scaleflow.codec.models.decoded_parts import DecodedParts
from scaleflow.codec.models.recurrent.codec import RecurrentCodec
from scaleflow.codec.models.scaleflow_codec import ScaleFlowCodec
from scaleflow.codec.models.transforms import SAMPLE_RANGE, unpack_planes
from scaleflow.codec.picture import WorkingFormat
from scaleflow.training.codec.configuration import AdversarialConfig, ModelConfig, OptimizationConfig, StageConfig
from scaleflow.training.codec.models.adversarial_terms import AdversarialTerms, ClipPair
from scaleflow.training.codec.models.clip_training import packed_picture
from scaleflow.training.codec.models.decoded_parts import decoded_parts
from scaleflow.training.codec.models.trainable import ClipBatch, StepResult
from scaleflow.training.codec.start import load_codec_with_parts
from scaleflow.training.loop.parts import ParameterGroup

GENERATOR = "generator."
"""How the names of the decoder's own parameters begin in checkpoints."""

LEARNED_PICTURES = 4
"""The last pictures of a clip, which are learned from; those before them bring what later pictures of a chain have:
predictions from predictions, and detail upon detail."""


class PerceptualTraining:
    """Implements :class:`scaleflow.training.codec.models.trainable.TrainableModel` for
    :class:`scaleflow.adversarial.second_synthesis.SecondSynthesis`."""

    name = "perceptual"
    working_format: WorkingFormat = "yuv420"

    def __init__(self, model: ModelConfig, adversarial: AdversarialConfig, optimization: OptimizationConfig) -> None:
        self.codec = load_codec_with_parts(model.start)
        self._coding = self.codec.network.requires_grad_(False).eval()
        generator = SecondSynthesis(self.codec).requires_grad_(True).train()
        terms = AdversarialTerms(adversarial, DiscriminatorConfig(condition="picture"))
        self.network = nn.ModuleDict({"generator": generator, "terms": terms}).to(memory_format=torch.channels_last)
        self._adversarial, self._bf16 = adversarial, optimization.precision == "bf16"

    @property
    def generator(self) -> SecondSynthesis:
        """What is trained."""
        generator = self.network["generator"]
        assert isinstance(generator, SecondSynthesis)
        return generator

    @property
    def terms(self) -> AdversarialTerms:
        """Discriminators and losses."""
        terms = self.network["terms"]
        assert isinstance(terms, AdversarialTerms)
        return terms

    def start(self, stage: StageConfig, batches: Iterator[ClipBatch]) -> None:
        """Nothing is measured: what is shown begins as what the codec decodes."""
        self.terms.begin()

    def parameter_groups(self, stage: StageConfig) -> list[ParameterGroup]:
        """The second synthesis, and discriminators where the stage has an adversary."""
        named = list(self.generator.named_parameters(prefix="generator"))
        own = ParameterGroup([parameter for _, parameter in named], names=[name for name, _ in named])
        return [own, *self.terms.parameter_group(stage)]

    def step(self, batch: ClipBatch, stage: StageConfig) -> StepResult:
        """Decode clips as the codec does, and finish their pictures one after the other."""
        device = batch.planes[0].device
        self._coding.to(device)
        originals = [packed_picture(batch, number) for number in range(batch.frames)]
        with torch.autocast(device.type, torch.bfloat16, enabled=self._bf16):
            with torch.no_grad():
                decoded = self.decode(originals, batch.quality)
                earlier: Tensor | None = None
                for parts in decoded[:-LEARNED_PICTURES]:
                    earlier = self.generator(parts, earlier)
            learned, originals = decoded[-LEARNED_PICTURES:], originals[-LEARNED_PICTURES:]
            shown: list[Tensor] = []
            for parts in learned:
                earlier = self.generator(parts, earlier)
                shown.append(parts.picture + earlier)
            original, result = torch.stack(originals, 1), torch.stack(shown, 1)
            fidelity = torch.stack([parts.picture for parts in learned], 1)
            flows = [parts.flow for parts in learned[1:] if parts.flow is not None]
            added, scalars = self.terms(ClipPair(original, result, fidelity, flows), stage)
        visible = visible_error(*(unpack_planes(pictures.flatten(0, 1))[0] for pictures in (original, result)))
        scalars["visible error"] = float(visible.detach())
        error = (result.detach() - original).square().mean() * (255 / SAMPLE_RANGE) ** 2
        scalars["error"] = float(error)
        scalars["error of fidelity"] = float((fidelity - original).square().mean() * (255 / SAMPLE_RANGE) ** 2)
        return StepResult(
            self._adversarial.squared_error * visible + added,
            scalars,
            unpack_planes(originals[-1]),
            unpack_planes(shown[-1].detach()),
            unpack_planes(decoded[-1].picture),
        )

    def decode(self, pictures: list[Tensor], quality: Tensor) -> Sequence[DecodedParts]:
        """What the codec decodes of clips, see :func:`scaleflow.training.codec.models.decoded_parts.decoded_parts`."""
        return decoded_parts(self._coding, pictures, quality)

    def freeze(self) -> ScaleFlowCodec | RecurrentCodec:
        """The codec; what was trained shows in files that are decoded with the exported weights."""
        return self.codec
