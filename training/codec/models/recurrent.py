"""Training steps of the recurrent model.

Transforms start from principal components, motion from block matching, priors from measured deviations. Motion is
searched once for each clip, between its source pictures: that is a third of the time of searching in what was decoded,
picture after picture, and true motion is what is to be learned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.codec.models.clip_coding import as_reference
from scaleflow.codec.models.motion_estimation import BLOCK, match_blocks, vector_smoothness
from scaleflow.codec.models.quality import LatentGain
from scaleflow.codec.models.recurrent.codec import RecurrentCodec
from scaleflow.codec.models.recurrent.config import RecurrentConfig
from scaleflow.codec.models.recurrent.latent_coder import HyperScales, LatentCoder, MeanSynthesis, ScaleSynthesis
from scaleflow.codec.models.recurrent.network import CodecState, Prediction, RecurrentNetwork, reference_picture
from scaleflow.codec.models.recurrent.transforms import PictureAnalysis, PictureSynthesis
from scaleflow.codec.models.transforms import (
    PATCH,
    PICTURE_CHANNELS,
    pack_planes,
    principal_components,
    unpack_planes,
)
from scaleflow.codec.picture import WorkingFormat
from scaleflow.quality_range import HIGHEST_QUALITY
from scaleflow.training.codec.compiled_matching import compiled_differences
from scaleflow.training.codec.configuration import LossConfig, ModelConfig, OptimizationConfig, StageConfig
from scaleflow.training.codec.losses import planes_distortion, rate_distortion
from scaleflow.training.codec.models.scaleflow import INTRA_QUALITY_OFFSET, START_BATCHES, random_patches
from scaleflow.training.codec.models.trainable import ClipBatch, FlowField, StepResult
from scaleflow.training.loop.parts import ParameterGroup

HYPER_SCALE_HASTE = 8.0
"""How much faster scales of hyper-latents learn than other priors. They are logarithms, far from where they belong at
first; where they lag behind, hyper-latents cost several times what they should."""


@dataclass(frozen=True)
class _PictureOutcome:
    loss: Tensor
    scalars: dict[str, float]
    decoded: Tensor
    state: CodecState
    prediction: Prediction


class RecurrentTraining:
    """Implements :class:`scaleflow.training.codec.models.trainable.TrainableModel`."""

    name = "recurrent"
    working_format: WorkingFormat = "yuv420"

    def __init__(self, model: ModelConfig, loss: LossConfig, optimization: OptimizationConfig) -> None:
        sizes = RecurrentConfig(model.intra_latents, model.residual_latents, model.motion_latents)
        self.network = RecurrentNetwork(sizes).to(memory_format=torch.channels_last)
        self._model, self._loss, self._optimization = model, loss, optimization

    def parameter_groups(self, stage: StageConfig) -> list[ParameterGroup]:
        """Transforms; priors and gains, which learn faster; scales of hyper-latents, which learn fastest."""
        quick_ids = {
            id(parameter)
            for module in self.network.modules()
            if isinstance(module, LatentCoder | HyperScales | ScaleSynthesis | MeanSynthesis | LatentGain)
            for parameter in module.parameters()
        }
        parts = {"intra": ["intra"], "inter": ["inter"], "all": ["intra", "inter"]}[stage.trains]
        slow, fast = ParameterGroup([]), ParameterGroup([], self._optimization.prior_rate)
        fastest = ParameterGroup([], self._optimization.prior_rate * HYPER_SCALE_HASTE)
        for name, parameter in self.network.named_parameters():
            if name.split(".")[0] in parts:
                group = fast if id(parameter) in quick_ids else slow
                group = fastest if ".hyper_scales." in name else group
                group.parameters.append(parameter)
                group.names.append(name)
        return [slow, fast, fastest]

    def start(self, stage: StageConfig, batches: Iterator[ClipBatch]) -> None:
        """Measure how the linear transforms and the priors should begin, where a part has not been trained yet."""
        if stage.trains == "all" or self._model.start == "random":
            return
        trained = self.network.intra if stage.trains == "intra" else self.network.inter
        if bool(trained.synthesis.finish_last.weight.any()):
            return  # a part that has learned anything goes on from there
        chosen = list(islice(batches, START_BATCHES))
        with torch.no_grad():
            if stage.trains == "intra":
                self._start_intra(chosen)
            else:
                self._start_inter(chosen)

    def step(self, batch: ClipBatch, stage: StageConfig) -> StepResult:
        """Code clips: the first picture alone, the others each from those before as the decoder has them."""
        pictures = [pack_planes(batch.planes[0][:, t], batch.planes[1][:, t]) for t in range(batch.frames)]
        device = pictures[0].device.type
        bf16 = self._optimization.precision == "bf16"
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            if stage.trains == "intra":
                return self._intra_step(pictures[0], batch.quality)
            return self._inter_step(pictures, batch, stage)

    def freeze(self) -> RecurrentCodec:
        """See :class:`scaleflow.training.codec.models.trainable.TrainableModel`."""
        codec = RecurrentCodec(self.network.config)
        codec.network.load_state_dict({key: value.detach().cpu() for key, value in self.network.state_dict().items()})
        codec.freeze()
        return codec.to(memory_format=torch.channels_last)

    def _intra_step(self, picture: Tensor, quality: Tensor) -> StepResult:
        decoded, _, coded = self.network.intra(picture, quality)
        loss, scalars = self._picture_loss(picture, decoded, coded.bits_latents + coded.bits_hyper, quality)
        scalars["hyper bpp"] = float(coded.bits_hyper.detach().mean()) / _pixels(picture)
        return StepResult(loss, scalars, unpack_planes(picture), unpack_planes(decoded.detach()))

    def _inter_step(self, pictures: list[Tensor], batch: ClipBatch, stage: StageConfig) -> StepResult:
        quality = batch.quality
        intra_learns = stage.trains == "all"
        intra_quality = (quality + INTRA_QUALITY_OFFSET * 2 * torch.rand_like(quality)).clamp(max=HIGHEST_QUALITY)
        losses: list[Tensor] = []
        with torch.set_grad_enabled(intra_learns and torch.is_grad_enabled()):
            decoded, features, coded = self.network.intra(pictures[0], intra_quality)
            if intra_learns:
                bits = coded.bits_latents + coded.bits_hyper
                losses.append(self._picture_loss(pictures[0], decoded, bits, intra_quality)[0])
        state = self.network.state_after_intra(as_reference(decoded), features)
        records: list[dict[str, float]] = []
        outcome: _PictureOutcome | None = None
        vectors = source_vectors(batch)
        for number, picture in enumerate(pictures[1:]):
            outcome = self._inter_picture(picture, state, vectors[:, number], quality)
            losses.append(outcome.loss)
            records.append(outcome.scalars)
            state = outcome.state if stage.gradients == "clip" else outcome.state.with_detached_pictures()
        assert outcome is not None
        scalars = {key: sum(record[key] for record in records) / len(records) for key in records[0]}
        motion = outcome.prediction.motion
        return StepResult(
            torch.stack(losses).mean(),
            scalars,
            unpack_planes(pictures[-1]),
            unpack_planes(outcome.decoded.detach()),
            unpack_planes(outcome.prediction.picture.detach()),
            FlowField(motion.flow.detach(), motion.blend.detach()),
        )

    def _inter_picture(self, picture: Tensor, state: CodecState, vectors: Tensor, quality: Tensor) -> _PictureOutcome:
        network, inter = self.network, self.network.inter
        latents = network.analyse_motion(picture, state, vectors, quality)
        motion = inter.motion_latents(latents, quality, state.motion_context, None, state.motion)
        prediction = inter.predict(motion.values, state, quality)
        contexts = inter.context(prediction.picture, prediction.memory, prediction.motion.features, quality)
        missed = inter.analysis(picture - prediction.picture, quality, *contexts)
        mean_context = torch.cat((motion.values.to(contexts[1].dtype), contexts[1]), 1)
        residual = inter.latents(missed, quality, state.residual_context, motion.context.magnitudes, mean_context)
        decoded, memory = network.reconstruct(residual.values, prediction, motion.values, contexts, quality)
        motion_bits = motion.bits_latents + motion.bits_hyper
        bits = motion_bits + residual.bits_latents + residual.bits_hyper
        loss, scalars = self._picture_loss(picture, decoded, bits, quality)
        planes, predicted = unpack_planes(picture), unpack_planes(prediction.picture)
        predicted_error = planes_distortion(planes, predicted, quality, self._loss)
        nothing = torch.zeros_like(predicted_error)
        loss = loss + self._loss.prediction * rate_distortion(nothing, predicted_error, quality, self._loss).mean()
        pixels = _pixels(picture)
        scalars |= {
            "prediction error": float(predicted_error.detach().mean()),
            "motion bpp": float(motion_bits.detach().mean()) / pixels,
            "hyper bpp": float((motion.bits_hyper + residual.bits_hyper).detach().mean()) / pixels,
            "second reference": float(prediction.motion.blend.detach().mean()),
        }
        reference = reference_picture(as_reference(decoded))
        following = CodecState(reference, state.first, memory, motion.values, motion.context, residual.context)
        return _PictureOutcome(loss, scalars, following.first.packed, following, prediction)

    def _picture_loss(
        self, picture: Tensor, decoded: Tensor, bits: Tensor, quality: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        bits_per_pixel = bits / _pixels(picture)
        error = planes_distortion(unpack_planes(picture), unpack_planes(decoded), quality, self._loss)
        loss = rate_distortion(bits_per_pixel, error, quality, self._loss).mean()
        return loss, {"bpp": float(bits_per_pixel.detach().mean()), "error": float(error.detach().mean())}

    def _start_intra(self, batches: list[ClipBatch]) -> None:
        intra = self.network.intra
        pictures = [pack_planes(batch.planes[0][:, 0], batch.planes[1][:, 0]) for batch in batches]
        patches = torch.cat([random_patches(picture) for picture in pictures])
        basis, deviations = principal_components(patches, self.network.config.intra_latents)
        _start_from_basis(intra.analysis, intra.synthesis, basis)
        intra.latents.start_from_deviations(deviations)
        intra.latents.start_hyper_latents(intra.analysis.linear(pictures[0]), batches[0].quality)

    def _start_inter(self, batches: list[ClipBatch]) -> None:
        network, inter = self.network, self.network.inter
        patches, motions, residuals = [], [], []
        for batch in batches:
            pictures = [pack_planes(batch.planes[0][:, t], batch.planes[1][:, t]) for t in range(2)]
            intra_quality = (batch.quality + INTRA_QUALITY_OFFSET).clamp(max=HIGHEST_QUALITY)
            decoded, features, _ = network.intra(pictures[0], intra_quality)
            state = network.state_after_intra(as_reference(decoded), features)
            latents = inter.motion_analysis.linear(F.pixel_unshuffle(source_vectors(batch)[:, 0], 2))
            missed = pictures[1] - inter.predict(latents, state, batch.quality).picture
            patches.append(random_patches(missed))
            motions.append(latents)
            residuals.append(missed)
        basis, deviations = principal_components(torch.cat(patches), network.config.residual_latents)
        _start_from_basis(inter.analysis, inter.synthesis, basis)
        inter.latents.start_from_deviations(deviations)
        inter.latents.start_hyper_latents(inter.analysis.linear(residuals[-1]), batches[-1].quality)
        spread = torch.cat(motions).abs().mean((0, 2, 3)).clamp_min(0.05)
        inter.motion_latents.start_from_deviations(spread)
        inter.motion_latents.start_hyper_latents(motions[-1] * 2, batches[-1].quality)


def source_vectors(batch: ClipBatch) -> Tensor:
    """Vectors of each picture from the one before, found in the source, (N, T - 1, 2, H / 8, W / 8).

    They are as smooth as the clip's quality asks for.
    """
    luma = batch.planes[0].float() * 255
    number, frames, _, height, width = luma.shape
    current, earlier = (luma[:, part].flatten(0, 1) for part in (slice(1, None), slice(None, -1)))
    prices = torch.tensor([vector_smoothness(float(value)) for value in batch.quality], device=luma.device)
    price = prices.repeat_interleave(frames - 1).view(-1, 1, 1, 1).expand(-1, 1, height // BLOCK, width // BLOCK)
    with torch.autocast(luma.device.type, enabled=False), torch.no_grad():
        vectors = match_blocks(current, earlier, price, differences=compiled_differences(luma.device))
    return vectors.view(number, frames - 1, *vectors.shape[1:])


@torch.no_grad()
def _start_from_basis(analysis: PictureAnalysis, synthesis: PictureSynthesis, basis: Tensor) -> None:
    """Set the linear parts to an orthonormal basis of shape (latents, 6 * 8 * 8), rows sorted by variance."""
    weights = basis.view(-1, PICTURE_CHANNELS, PATCH, PATCH)
    analysis.linear.weight.copy_(weights)
    synthesis.linear.weight.copy_(weights)


def _pixels(packed: Tensor) -> int:
    return packed.shape[2] * packed.shape[3] * 4
