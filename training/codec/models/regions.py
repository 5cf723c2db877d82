"""Training of the networks for regions of interest; the codec that they serve stays as it is.

Errors outside the region count ``strength ** 2`` times less than those inside, at a strength that is drawn anew for
every clip, so that one set of weights covers all.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.codec.models.clip_coding import CodedInterPicture, InterState
from scaleflow.codec.models.hyperprior import CodedLatents
from scaleflow.codec.models.rate_distortion import squared_error
from scaleflow.codec.models.region_coding import LatentKind, emphasis_of_samples
from scaleflow.codec.models.scaleflow_codec import ScaleFlowCodec
from scaleflow.codec.models.scaleflow_picture import CELL
from scaleflow.codec.models.transforms import unpack_planes
from scaleflow.codec.picture import WorkingFormat
from scaleflow.roi.coding import LEARNED_STEPS_PER_OCTAVE
from scaleflow.roi.networks import RegionNetworks
from scaleflow.training.codec.configuration import LossConfig, ModelConfig, OptimizationConfig, StageConfig
from scaleflow.training.codec.models.clip_training import packed_picture
from scaleflow.training.codec.models.scaleflow import PictureRegion, ScaleFlowTraining
from scaleflow.training.codec.models.trainable import ClipBatch, StepResult
from scaleflow.training.codec.start import load_trainable_codec
from scaleflow.training.loop.parts import ParameterGroup

MOST_OCTAVES = 6.0
"""Strengths are drawn up to 64."""

BITS_OF_A_CHANGE = 4.0
"""What the map of bin widths costs where two neighbours differ by an octave, about."""


class RegionTraining:
    """Implements :class:`scaleflow.training.codec.models.trainable.TrainableModel` for
    :class:`scaleflow.roi.networks.RegionNetworks`.

    Stages train ``steering`` (the implicit variant) or ``widths`` (learned latent scaling).
    """

    name = "regions"
    working_format: WorkingFormat = "yuv420"

    def __init__(self, model: ModelConfig, loss: LossConfig, optimization: OptimizationConfig) -> None:
        codec = load_trainable_codec(model.start)
        config = codec.network.config
        latents: dict[LatentKind, int] = {
            "intra": config.intra_latents,
            "motion": config.motion_latents,
            "residual": config.residual_latents,
        }
        self.codec = codec
        self.network = RegionNetworks(latents, codec.weights_hash)
        self._coding = _CodecWithRegions(codec, self.network, model, loss, optimization)
        self._bf16 = optimization.precision == "bf16"

    def start(self, stage: StageConfig, batches: Iterator[ClipBatch]) -> None:
        """Nothing is measured: networks start by changing next to nothing."""

    def parameter_groups(self, stage: StageConfig) -> list[ParameterGroup]:
        """The networks of the stage."""
        group = ParameterGroup([])
        for name, parameter in self.network.named_parameters():
            if name.split(".")[0] == stage.trains:
                group.parameters.append(parameter)
                group.names.append(name)
        return [group]

    def step(self, batch: ClipBatch, stage: StageConfig) -> StepResult:
        """Code clips with the region that comes with them."""
        assert batch.mask is not None
        planes, masks = batch.planes, batch.mask
        self._coding.network.to(planes[0].device)
        octaves = torch.rand(len(batch.quality), device=planes[0].device) * MOST_OCTAVES
        pictures = [packed_picture(batch, number) for number in range(batch.frames)]
        regions = [PictureRegion(masks[:, t], F.max_pool2d(masks[:, t], CELL), octaves) for t in range(batch.frames)]
        with torch.autocast(planes[0].device.type, torch.bfloat16, enabled=self._bf16):
            return self._coding.code(pictures, regions, batch.quality, stage)

    def freeze(self) -> ScaleFlowCodec:
        """The codec; what was trained shows in files that ``scaleflow rd --roi`` measures."""
        return self.codec


class _CodecWithRegions(ScaleFlowTraining):
    """The codec's own training step, with regions in its hooks and without anything of its own that learns."""

    def __init__(
        self,
        codec: ScaleFlowCodec,
        regions: RegionNetworks,
        model: ModelConfig,
        loss: LossConfig,
        optimization: OptimizationConfig,
    ) -> None:
        super().__init__(model, loss, optimization)
        self.network = codec.network.requires_grad_(False).train()
        self._regions = regions
        self._learns_widths = False
        self._widths: Tensor | None = None

    def code(
        self, pictures: list[Tensor], regions: list[PictureRegion], quality: Tensor, stage: StageConfig
    ) -> StepResult:
        """All pictures of clips."""
        self._learns_widths = stage.trains == "widths"
        self._widths = None
        return self._code_clips(pictures, quality, intra_learns=True, regions=regions)

    def _code(
        self,
        kind: LatentKind,
        latents: Tensor,
        quality: Tensor,
        context: Tensor | None,
        cheapest: Tensor | None,
        region: PictureRegion | None,
    ) -> CodedLatents:
        assert region is not None
        coder = self.network.coder(kind)
        gain = coder.gain(quality)
        if self._learns_widths:
            assert self._widths is not None
            gain = gain - self._widths
        else:
            towards = torch.zeros_like(latents) if cheapest is None else cheapest
            latents = self._regions.steer(kind, latents, towards, region.cells, region.octaves, quality)
        coded: CodedLatents = coder.hyperprior(latents, gain, context)
        return coded

    def _code_intra(
        self, picture: Tensor, quality: Tensor, region: PictureRegion | None
    ) -> tuple[Tensor, CodedLatents]:
        self._propose_widths(picture, quality, region)
        return super()._code_intra(picture, quality, region)

    def _code_inter(
        self, picture: Tensor, state: InterState, quality: Tensor, region: PictureRegion | None = None
    ) -> tuple[Tensor, dict[str, float], CodedInterPicture]:
        self._propose_widths(picture, quality, region)
        return super()._code_inter(picture, state, quality, region)

    def _propose_widths(self, picture: Tensor, quality: Tensor, region: PictureRegion | None) -> None:
        """Octaves of each position, on the grid of the map; gradients pass the rounding."""
        if not self._learns_widths:
            return
        assert region is not None
        latents = self.network.intra.analysis(picture, quality)
        proposed = self._regions.widths(latents, region.cells, region.octaves, quality)
        steps = proposed * LEARNED_STEPS_PER_OCTAVE
        self._widths = proposed + ((steps.round() - steps) / LEARNED_STEPS_PER_OCTAVE).detach()

    def _error(self, picture: Tensor, decoded: Tensor, quality: Tensor, region: PictureRegion | None) -> Tensor:
        assert region is not None
        emphasis = emphasis_of_samples(region.mask, region.octaves)
        return squared_error(unpack_planes(picture), unpack_planes(decoded), self._loss.weights, emphasis)

    def _picture_loss(
        self, picture: Tensor, decoded: Tensor, bits: Tensor, quality: Tensor, region: PictureRegion | None = None
    ) -> tuple[Tensor, dict[str, float]]:
        if self._widths is not None:
            rows, columns = self._widths.diff(dim=2).abs(), self._widths.diff(dim=3).abs()
            bits = bits + BITS_OF_A_CHANGE * (rows.sum((1, 2, 3)) + columns.sum((1, 2, 3)))
        return super()._picture_loss(picture, decoded, bits, quality, region)
