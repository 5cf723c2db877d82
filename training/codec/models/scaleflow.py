"""Training steps of the default model.

Transforms start from principal components, motion from block matching, priors from measured deviations. Motion is
searched in what the decoder has, as the encoder will: in the reconstruction, at the smoothness that the quality asks
for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.codec.models.clip_coding import (
    CodedInterPicture,
    InterState,
    as_reference,
    code_inter,
    first_state,
    motion_vectors,
    plain_coding,
)
from scaleflow.codec.models.encoder_weights import is_of_the_encoder
from scaleflow.codec.models.hyperprior import CodedLatents, MeanScaleHyperprior
from scaleflow.codec.models.quality import LatentGain
from scaleflow.codec.models.region_coding import LatentKind
from scaleflow.codec.models.scaleflow import ScaleFlowConfig, ScaleFlowNetwork
from scaleflow.codec.models.scaleflow_codec import ScaleFlowCodec
from scaleflow.codec.models.transforms import principal_components, start_from_basis, unpack_planes
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


@dataclass(frozen=True)
class PictureRegion:
    """The region of interest of one picture of each clip: ``mask`` (N, 1, H, W) and the same at the latents'
    positions, ``cells`` (N, 1, h, w), 0..1; ``octaves`` (N,) is log2 of its strength, see
    :mod:`scaleflow.roi.coding`."""

    mask: Tensor
    cells: Tensor
    octaves: Tensor


class ScaleFlowTraining(ClipTraining):
    """Implements :class:`scaleflow.training.codec.models.trainable.TrainableModel`."""

    name = "default"

    def __init__(self, model: ModelConfig, loss: LossConfig, optimization: OptimizationConfig) -> None:
        super().__init__(model, loss, optimization)
        sizes = ScaleFlowConfig(model.intra_latents, model.residual_latents, model.motion_latents, model.guided_motion)
        self.network = ScaleFlowNetwork(sizes).to(memory_format=torch.channels_last)

    def parameter_groups(self, stage: StageConfig) -> list[ParameterGroup]:
        """Transforms, and priors and gains; the latter learn faster."""
        quick = names_within(self.network, (MeanScaleHyperprior, LatentGain))
        parts = {"intra": ["intra"], "inter": ["motion", "residual"]}.get(stage.trains, ["intra", "motion", "residual"])

        def choose(name: str) -> int | None:
            if name.split(".")[0] not in parts or name.endswith("quantiles"):
                return None
            if stage.trains == "encoder" and not is_of_the_encoder(name):
                return None
            return int(name in quick)

        groups = [ParameterGroup([]), ParameterGroup([], self._optimization.prior_rate)]
        return grouped(self.network.named_parameters(), groups, choose)

    def freeze(self) -> ScaleFlowCodec:
        """See :class:`scaleflow.training.codec.models.trainable.TrainableModel`."""
        codec = ScaleFlowCodec(self.network.config)
        codec.network.load_state_dict({key: value.detach().cpu() for key, value in self.network.state_dict().items()})
        codec.freeze()
        return codec.to(memory_format=torch.channels_last)

    def _needs_start(self, stage: StageConfig) -> bool:
        return self._model.start == "transform"

    def _intra_step(self, picture: Tensor, quality: Tensor) -> StepResult:
        decoded, coded = self.network.intra(picture, quality)
        bits = coded.bits_latents + coded.bits_hyper
        loss, scalars = self._picture_loss(picture, decoded, bits, quality)
        scalars["hyper bpp"] = float(coded.bits_hyper.detach().mean()) / pixels_of(picture)
        clip = DecodedClip([picture], [decoded], [coded.values], [bits], [], [quality])
        return StepResult(loss, scalars, unpack_planes(picture), unpack_planes(decoded.detach()), clip=clip)

    def _inter_step(self, pictures: list[Tensor], batch: ClipBatch, stage: StageConfig) -> StepResult:
        return self._code_clips(pictures, batch.quality, intra_learns=stage.teaches_intra)

    def _code_clips(
        self,
        pictures: list[Tensor],
        quality: Tensor,
        intra_learns: bool,
        regions: Sequence[PictureRegion | None] | None = None,
    ) -> StepResult:
        losses: list[Tensor] = []
        records: list[dict[str, float]] = []
        intra_quality = key_picture_quality(quality)
        regions = regions or [None] * len(pictures)
        with torch.set_grad_enabled(intra_learns):
            decoded, key = self._code_intra(pictures[0], intra_quality, regions[0])
            bits = key.bits_latents + key.bits_hyper
            clip = DecodedClip(pictures, [decoded], [key.values], [bits], [], [intra_quality])
            if intra_learns:
                losses.append(self._picture_loss(pictures[0], decoded, bits, intra_quality, regions[0])[0])
        state = first_state(self.network, decoded)
        for picture, region in zip(pictures[1:], regions[1:], strict=True):
            loss, scalars, coded = self._code_inter(picture, state, quality, region)
            losses.append(loss)
            records.append(scalars)
            clip.decoded.append(coded.decoded)
            clip.latents.append(coded.residual.values)
            clip.bits.append(coded.bits)
            clip.flows.append(coded.prediction.flow)
            clip.qualities.append(quality)
            state = coded.next_state()
        return StepResult(
            torch.stack(losses).mean(),
            means(records),
            unpack_planes(pictures[-1]),
            unpack_planes(state.reference.detach()),
            unpack_planes(coded.prediction.picture.detach()),
            FlowField(coded.prediction.flow.detach(), coded.prediction.scale.detach()),
            clip,
        )

    def _code_intra(
        self, picture: Tensor, quality: Tensor, region: PictureRegion | None
    ) -> tuple[Tensor, CodedLatents]:
        """The decoded picture and its latents."""
        coded = self._code("intra", self.network.intra.analysis(picture, quality), quality, None, None, region)
        return self.network.intra.synthesis(coded.values, quality), coded

    def _code_inter(
        self, picture: Tensor, state: InterState, quality: Tensor, region: PictureRegion | None = None
    ) -> tuple[Tensor, dict[str, float], CodedInterPicture]:
        def code(kind: LatentKind, latents: Tensor, context: Tensor | None, cheapest: Tensor | None) -> CodedLatents:
            return self._code(kind, latents, quality, context, cheapest, region)

        coded = code_inter(self.network, picture, state, quality, code)
        motion, residual, prediction = coded.motion, coded.residual, coded.prediction
        motion_bits = motion.bits_latents + motion.bits_hyper
        loss, scalars = self._picture_loss(picture, coded.decoded, coded.bits, quality, region)
        predicted_error = self._error(picture, prediction.picture, quality, region)
        loss = loss + self._prediction_loss(predicted_error, quality)
        pixels = pixels_of(picture)
        scalars |= {
            "prediction error": float(predicted_error.detach().mean()),
            "motion bpp": float(motion_bits.detach().mean()) / pixels,
            "hyper bpp": float((motion.bits_hyper + residual.bits_hyper).detach().mean()) / pixels,
            "blurred share": float((prediction.scale.detach() > 0.5).float().mean()),
        }
        return loss, scalars, coded

    def _code(
        self,
        kind: LatentKind,
        latents: Tensor,
        quality: Tensor,
        context: Tensor | None,
        cheapest: Tensor | None,
        region: PictureRegion | None,
    ) -> CodedLatents:
        """Code latents of one kind; ``cheapest`` are those that would cost least, zero where it is None."""
        return plain_coding(self.network, quality)(kind, latents, context, cheapest)

    def _error(self, picture: Tensor, decoded: Tensor, quality: Tensor, region: PictureRegion | None) -> Tensor:
        """Distortion of each picture, (N,)."""
        return self._picture_error(picture, decoded, quality)

    def _picture_loss(
        self, picture: Tensor, decoded: Tensor, bits: Tensor, quality: Tensor, region: PictureRegion | None = None
    ) -> tuple[Tensor, dict[str, float]]:
        error = self._error(picture, decoded, quality, region)
        return self._rate_distortion(bits, error, quality, pixels_of(picture))

    def _start_intra(self, batches: list[ClipBatch]) -> None:
        pictures = [packed_picture(batch, 0) for batch in batches]
        patches = torch.cat([random_patches(picture) for picture in pictures])
        intra = self.network.intra
        basis, deviations = principal_components(patches, self.network.config.intra_latents)
        start_from_basis(intra.analysis.linear, intra.synthesis.linear, basis)
        intra.hyperprior.start_from_deviations(deviations)
        intra.hyperprior.start_hyper_latents(intra.analysis.linear(pictures[0]))

    def _start_inter(self, batches: list[ClipBatch]) -> None:
        network = self.network
        patches, vectors_seen, residuals = [], [], []
        for batch in batches:
            pictures = [packed_picture(batch, number) for number in range(2)]
            reference = as_reference(network.intra(pictures[0], usual_key_picture_quality(batch.quality))[0])
            vectors = motion_vectors(network, pictures[1], reference, batch.quality.tolist())
            latents = network.motion.analysis.linear(F.pixel_unshuffle(vectors, 2))
            missed = pictures[1] - network.predict(latents, reference, batch.quality).picture
            patches.append(random_patches(missed))
            vectors_seen.append(latents)
            residuals.append(missed)
        basis, deviations = principal_components(torch.cat(patches), network.config.residual_latents)
        start_from_basis(network.residual.analysis.linear, network.residual.synthesis.linear, basis)
        network.residual.hyperprior.start_from_deviations(deviations)
        network.residual.hyperprior.start_hyper_latents(network.residual.analysis.linear(residuals[-1]))
        spread = torch.cat(vectors_seen).abs().mean((0, 2, 3)).clamp_min(0.05)
        network.motion.hyperprior.start_from_deviations(spread)
        network.motion.hyperprior.start_hyper_latents(vectors_seen[-1] * 2)
