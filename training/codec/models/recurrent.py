"""Training steps of the recurrent model.

Transforms start from principal components, motion from block matching, priors from measured deviations. Motion is
searched once for each clip, between its source pictures: that is a third of the time of searching in what was decoded,
picture after picture, and true motion is what is to be learned.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.codec.models.clip_coding import as_reference
from scaleflow.codec.models.encoder_weights import is_of_the_encoder
from scaleflow.codec.models.motion_estimation import BLOCK, match_blocks, vector_smoothness
from scaleflow.codec.models.quality import LatentGain
from scaleflow.codec.models.recurrent.codec import RecurrentCodec
from scaleflow.codec.models.recurrent.config import RecurrentConfig
from scaleflow.codec.models.recurrent.latent_coder import (
    CodedLatents,
    HyperScales,
    LatentCoder,
    MeanSynthesis,
    ScaleSynthesis,
)
from scaleflow.codec.models.recurrent.network import (
    REFERENCE_PARTS,
    CodecState,
    Prediction,
    RecurrentNetwork,
    reference_picture,
)
from scaleflow.codec.models.transforms import principal_components, start_from_basis, unpack_planes
from scaleflow.training.codec.compiled_matching import compiled_differences
from scaleflow.training.codec.configuration import LossConfig, ModelConfig, OptimizationConfig, StageConfig
from scaleflow.training.codec.models.clip_training import (
    ClipTraining,
    grouped,
    key_picture_quality,
    means,
    names_within,
    packed_picture,
    pixels_of,
    random_patches,
    usual_key_picture_quality,
)
from scaleflow.training.codec.models.trainable import ClipBatch, DecodedClip, FlowField, StepResult
from scaleflow.training.loop.parts import ParameterGroup

HYPER_SCALE_HASTE = 8.0
"""How much faster scales of hyper-latents learn than other priors. They are logarithms, far from where they belong at
first; where they lag behind, hyper-latents cost several times what they should."""


@dataclass(frozen=True)
class CodedPicture:
    """A packed picture that was coded from those before.

    Attributes:
        decoded: not yet rounded as the decoder keeps it.
        prediction: what its residual was added to.
        motion, residual: latents, as they are decoded.
        state: what the next picture is coded from, with this one as the decoder keeps it.
        beside_residual: what the synthesis of the residual takes after latents and quality.
    """

    decoded: Tensor
    prediction: Prediction
    motion: CodedLatents
    residual: CodedLatents
    state: CodecState
    beside_residual: tuple[Tensor, ...]


def code_recurrent(
    network: RecurrentNetwork, picture: Tensor, state: CodecState, vectors: Tensor, quality: Tensor
) -> CodedPicture:
    """Code packed pictures (N, 6, H / 2, W / 2).

    Args:
        state: of the pictures before.
        vectors: of :func:`vectors_between`, for these pictures.
        quality: (N,), 0..63.
    """
    inter = network.inter
    latents = network.analyse_motion(picture, state, vectors, quality)
    motion = inter.motion_latents(latents, quality, state.motion_context, None, state.motion)
    prediction = inter.predict(motion.values, state, quality)
    contexts = inter.context(prediction.picture, prediction.memory, prediction.motion.features, quality)
    missed = inter.analysis(picture - prediction.picture, quality, *contexts)
    beside = network.beside_residual(motion.values, contexts, prediction)
    residual = inter.latents(missed, quality, state.residual_context, motion.context.magnitudes, beside[1])
    decoded, memory = network.reconstruct(residual.values, prediction, motion.values, contexts, quality)
    reference = reference_picture(as_reference(decoded, REFERENCE_PARTS))
    following = CodecState(reference, state.first, memory, motion.values, motion.context, residual.context)
    return CodedPicture(decoded, prediction, motion, residual, following, beside)


@dataclass(frozen=True)
class _PictureOutcome:
    loss: Tensor
    scalars: dict[str, float]
    coded: CodedPicture
    bits: Tensor


class RecurrentTraining(ClipTraining):
    """Implements :class:`scaleflow.training.codec.models.trainable.TrainableModel`."""

    name = "recurrent"

    def __init__(self, model: ModelConfig, loss: LossConfig, optimization: OptimizationConfig) -> None:
        super().__init__(model, loss, optimization)
        sizes = RecurrentConfig(model.intra_latents, model.residual_latents, model.motion_latents)
        self.network = RecurrentNetwork(sizes).to(memory_format=torch.channels_last)

    def parameter_groups(self, stage: StageConfig) -> list[ParameterGroup]:
        """Transforms; priors and gains, which learn faster; scales of hyper-latents, which learn fastest."""
        kinds = (LatentCoder, HyperScales, ScaleSynthesis, MeanSynthesis, LatentGain)
        quick = names_within(self.network, kinds)
        parts = {"intra": ["intra"], "inter": ["inter"]}.get(stage.trains, ["intra", "inter"])

        def choose(name: str) -> int | None:
            if name.split(".")[0] not in parts or (stage.trains == "encoder" and not is_of_the_encoder(name)):
                return None
            return 2 if ".hyper_scales." in name else int(name in quick)

        rates = (1.0, self._optimization.prior_rate, self._optimization.prior_rate * HYPER_SCALE_HASTE)
        return grouped(self.network.named_parameters(), [ParameterGroup([], rate) for rate in rates], choose)

    def freeze(self) -> RecurrentCodec:
        """See :class:`scaleflow.training.codec.models.trainable.TrainableModel`."""
        codec = RecurrentCodec(self.network.config)
        codec.network.load_state_dict({key: value.detach().cpu() for key, value in self.network.state_dict().items()})
        codec.freeze()
        return codec.to(memory_format=torch.channels_last)

    def _needs_start(self, stage: StageConfig) -> bool:
        trained = self.network.intra if stage.trains == "intra" else self.network.inter
        learned = bool(trained.synthesis.finish_last.weight.any())  # such a part goes on from there
        return self._model.start != "random" and not learned

    def _intra_step(self, picture: Tensor, quality: Tensor) -> StepResult:
        decoded, _, coded = self.network.intra(picture, quality)
        bits = coded.bits_latents + coded.bits_hyper
        loss, scalars = self._picture_loss(picture, decoded, bits, quality)
        scalars["hyper bpp"] = float(coded.bits_hyper.detach().mean()) / pixels_of(picture)
        clip = DecodedClip([picture], [decoded], [coded.values], [bits], [], [quality])
        return StepResult(loss, scalars, unpack_planes(picture), unpack_planes(decoded.detach()), clip=clip)

    def _inter_step(self, pictures: list[Tensor], batch: ClipBatch, stage: StageConfig) -> StepResult:
        quality = batch.quality
        intra_learns = stage.teaches_intra
        intra_quality = key_picture_quality(quality)
        losses: list[Tensor] = []
        with torch.set_grad_enabled(intra_learns and torch.is_grad_enabled()):
            decoded, features, latents = self.network.intra(pictures[0], intra_quality)
            bits = latents.bits_latents + latents.bits_hyper
            clip = DecodedClip(pictures, [decoded], [latents.values], [bits], [], [intra_quality])
            if intra_learns:
                losses.append(self._picture_loss(pictures[0], decoded, bits, intra_quality)[0])
        state = self.network.state_after_intra(as_reference(decoded, REFERENCE_PARTS), features)
        records: list[dict[str, float]] = []
        outcome: _PictureOutcome | None = None
        vectors = source_vectors(batch)
        for number, picture in enumerate(pictures[1:]):
            outcome = self._inter_picture(picture, state, vectors[:, number], quality)
            losses.append(outcome.loss)
            records.append(outcome.scalars)
            coded = outcome.coded
            clip.decoded.append(coded.decoded)
            clip.latents.append(coded.residual.values)
            clip.bits.append(outcome.bits)
            clip.flows.append(coded.prediction.motion.flow)
            clip.qualities.append(quality)
            state = coded.state if stage.gradients == "clip" else coded.state.with_detached_pictures()
        assert outcome is not None
        prediction = outcome.coded.prediction
        return StepResult(
            torch.stack(losses).mean(),
            means(records),
            unpack_planes(pictures[-1]),
            unpack_planes(state.first.packed.detach()),
            unpack_planes(prediction.picture.detach()),
            FlowField(prediction.motion.flow.detach(), prediction.motion.blend.detach()),
            clip,
        )

    def _inter_picture(self, picture: Tensor, state: CodecState, vectors: Tensor, quality: Tensor) -> _PictureOutcome:
        coded = code_recurrent(self.network, picture, state, vectors, quality)
        motion, residual, prediction = coded.motion, coded.residual, coded.prediction
        motion_bits = motion.bits_latents + motion.bits_hyper
        bits = motion_bits + residual.bits_latents + residual.bits_hyper
        loss, scalars = self._picture_loss(picture, coded.decoded, bits, quality)
        predicted_error = self._picture_error(picture, prediction.picture, quality)
        loss = loss + self._prediction_loss(predicted_error, quality)
        pixels = pixels_of(picture)
        scalars |= {
            "prediction error": float(predicted_error.detach().mean()),
            "motion bpp": float(motion_bits.detach().mean()) / pixels,
            "hyper bpp": float((motion.bits_hyper + residual.bits_hyper).detach().mean()) / pixels,
            "second reference": float(prediction.motion.blend.detach().mean()),
        }
        return _PictureOutcome(loss, scalars, coded, bits)

    def _picture_loss(
        self, picture: Tensor, decoded: Tensor, bits: Tensor, quality: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        error = self._picture_error(picture, decoded, quality)
        return self._rate_distortion(bits, error, quality, pixels_of(picture))

    def _start_intra(self, batches: list[ClipBatch]) -> None:
        intra = self.network.intra
        pictures = [packed_picture(batch, 0) for batch in batches]
        patches = torch.cat([random_patches(picture) for picture in pictures])
        basis, deviations = principal_components(patches, self.network.config.intra_latents)
        start_from_basis(intra.analysis.linear, intra.synthesis.linear, basis)
        intra.latents.start_from_deviations(deviations)
        intra.latents.start_hyper_latents(intra.analysis.linear(pictures[0]), batches[0].quality)

    def _start_inter(self, batches: list[ClipBatch]) -> None:
        network, inter = self.network, self.network.inter
        patches, motions, residuals = [], [], []
        for batch in batches:
            pictures = [packed_picture(batch, number) for number in range(2)]
            decoded, features, _ = network.intra(pictures[0], usual_key_picture_quality(batch.quality))
            state = network.state_after_intra(as_reference(decoded, REFERENCE_PARTS), features)
            latents = inter.motion_analysis.linear(F.pixel_unshuffle(source_vectors(batch)[:, 0], 2))
            missed = pictures[1] - inter.predict(latents, state, batch.quality).picture
            patches.append(random_patches(missed))
            motions.append(latents)
            residuals.append(missed)
        basis, deviations = principal_components(torch.cat(patches), network.config.residual_latents)
        start_from_basis(inter.analysis.linear, inter.synthesis.linear, basis)
        inter.latents.start_from_deviations(deviations)
        inter.latents.start_hyper_latents(inter.analysis.linear(residuals[-1]), batches[-1].quality)
        spread = torch.cat(motions).abs().mean((0, 2, 3)).clamp_min(0.05)
        inter.motion_latents.start_from_deviations(spread)
        inter.motion_latents.start_hyper_latents(motions[-1] * 2, batches[-1].quality)


def source_vectors(batch: ClipBatch) -> Tensor:
    """Vectors of each picture from the one before, found in the source, (N, T - 1, 2, H / 8, W / 8).

    They are as smooth as the clip's quality asks for.
    """
    return vectors_between(batch.planes[0].float(), batch.quality)


def vectors_between(luma: Tensor, quality: Tensor) -> Tensor:
    """As :func:`source_vectors`, of luma (N, T, 1, H, W) in 0..1 and qualities (N,)."""
    luma = luma * 255
    number, frames, _, height, width = luma.shape
    current, earlier = (luma[:, part].flatten(0, 1) for part in (slice(1, None), slice(None, -1)))
    prices = torch.tensor([vector_smoothness(float(value)) for value in quality], device=luma.device)
    price = prices.repeat_interleave(frames - 1).view(-1, 1, 1, 1).expand(-1, 1, height // BLOCK, width // BLOCK)
    with torch.autocast(luma.device.type, enabled=False), torch.no_grad():
        vectors = match_blocks(current, earlier, price, differences=compiled_differences(luma.device))
    return vectors.view(number, frames - 1, *vectors.shape[1:])
