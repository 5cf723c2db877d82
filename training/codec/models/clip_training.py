"""What training of the models of 4:2:0 clips shares: a picture alone, then pictures from those before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor, nn

from scaleflow.codec.models.transforms import PATCH, pack_planes, unpack_planes
from scaleflow.codec.picture import WorkingFormat
from scaleflow.quality_range import HIGHEST_QUALITY
from scaleflow.training.codec.configuration import LossConfig, ModelConfig, OptimizationConfig, StageConfig
from scaleflow.training.codec.losses import error_cost, planes_distortion, rate_distortion
from scaleflow.training.codec.models.trainable import ClipBatch, StepResult
from scaleflow.training.loop.parts import ParameterGroup

INTRA_QUALITY_OFFSET = 8.0
"""How much better the intra picture of a training clip is, on average, than those predicted from it, as in use."""

START_BATCHES = 24
"""Batches from which the start of a stage is computed."""

MOST_PATCHES = 4000
"""Random patches of each of these."""


class ClipTraining(ABC):
    """The part of :class:`scaleflow.training.codec.models.trainable.TrainableModel` that these models share.

    Pictures are packed: (N, 6, H / 2, W / 2), see :func:`scaleflow.codec.models.transforms.pack_planes`.
    """

    working_format: WorkingFormat = "yuv420"

    def __init__(self, model: ModelConfig, loss: LossConfig, optimization: OptimizationConfig) -> None:
        self._model, self._loss, self._optimization = model, loss, optimization

    def start(self, stage: StageConfig, batches: Iterator[ClipBatch]) -> None:
        """Measure how the linear transforms and the priors should begin, where the part that learns needs it."""
        if stage.trains in ("all", "encoder") or not self._needs_start(stage):
            return
        chosen = list(islice(batches, START_BATCHES))
        with torch.no_grad():
            if stage.trains == "intra":
                self._start_intra(chosen)
            else:
                self._start_inter(chosen)

    def step(self, batch: ClipBatch, stage: StageConfig) -> StepResult:
        """Code clips: the first picture alone, the others each from those before as the decoder has them."""
        pictures = [packed_picture(batch, number) for number in range(batch.frames)]
        bf16 = self._optimization.precision == "bf16"
        with torch.autocast(pictures[0].device.type, torch.bfloat16, enabled=bf16):
            if stage.trains == "intra":
                return self._intra_step(pictures[0], batch.quality)
            return self._inter_step(pictures, batch, stage)

    def error_cost(self, error: Tensor, quality: Tensor) -> Tensor:
        """See :class:`scaleflow.training.codec.models.trainable.TrainableCodec`."""
        return error_cost(error, quality, self._loss).mean()

    @abstractmethod
    def _needs_start(self, stage: StageConfig) -> bool:
        """Whether the part that the stage trains is to begin from what is measured."""

    @abstractmethod
    def _start_intra(self, batches: list[ClipBatch]) -> None: ...

    @abstractmethod
    def _start_inter(self, batches: list[ClipBatch]) -> None: ...

    @abstractmethod
    def _intra_step(self, picture: Tensor, quality: Tensor) -> StepResult: ...

    @abstractmethod
    def _inter_step(self, pictures: list[Tensor], batch: ClipBatch, stage: StageConfig) -> StepResult: ...

    def _rate_distortion(
        self, bits: Tensor, error: Tensor, quality: Tensor, pixels: int
    ) -> tuple[Tensor, dict[str, float]]:
        """Loss of pictures, and what is logged of it; ``bits`` and ``error`` (N,)."""
        bits_per_pixel = bits / pixels
        loss = rate_distortion(bits_per_pixel, error, quality, self._loss).mean()
        return loss, {"bpp": float(bits_per_pixel.detach().mean()), "error": float(error.detach().mean())}

    def _prediction_loss(self, error: Tensor, quality: Tensor) -> Tensor:
        """What errors of the prediction (N,) add to the loss: so motion learns before residuals hide it."""
        loss = rate_distortion(torch.zeros_like(error), error, quality, self._loss).mean()
        return self._loss.prediction * loss

    def _picture_error(self, picture: Tensor, decoded: Tensor, quality: Tensor) -> Tensor:
        """Distortion of each picture, (N,)."""
        return planes_distortion(unpack_planes(picture), unpack_planes(decoded), quality, self._loss)


def packed_picture(batch: ClipBatch, number: int) -> Tensor:
    """One picture of each clip, packed."""
    luma, chroma = batch.planes
    return pack_planes(luma[:, number], chroma[:, number])


def pixels_of(packed: Tensor) -> int:
    """Luma samples of a packed picture."""
    return packed.shape[2] * packed.shape[3] * 4


def key_picture_quality(quality: Tensor) -> Tensor:
    """Qualities of intra pictures beside those of the pictures predicted from them: random offsets, as in use."""
    return (quality + INTRA_QUALITY_OFFSET * 2 * torch.rand_like(quality)).clamp(max=HIGHEST_QUALITY)


def usual_key_picture_quality(quality: Tensor) -> Tensor:
    """As :func:`key_picture_quality`, at the mean offset."""
    return (quality + INTRA_QUALITY_OFFSET).clamp(max=HIGHEST_QUALITY)


def means(records: Sequence[dict[str, float]]) -> dict[str, float]:
    """Mean of each number over records that have the same ones."""
    return {key: sum(record[key] for record in records) / len(records) for key in records[0]}


def grouped(
    parameters: Iterable[tuple[str, nn.Parameter]],
    groups: Sequence[ParameterGroup],
    choose: Callable[[str], int | None],
) -> list[ParameterGroup]:
    """Groups with named parameters put into them; ``choose`` gives the number of the group, None for no group."""
    for name, parameter in parameters:
        number = choose(name)
        if number is not None:
            groups[number].parameters.append(parameter)
            groups[number].names.append(name)
    return list(groups)


def names_within(network: nn.Module, kinds: tuple[type[nn.Module], ...]) -> set[str]:
    """Names of the parameters that lie in modules of some kinds."""
    inside = {
        id(parameter) for module in network.modules() if isinstance(module, kinds) for parameter in module.parameters()
    }
    return {name for name, parameter in network.named_parameters() if id(parameter) in inside}


def random_patches(packed: Tensor) -> Tensor:
    """Random patches of packed pictures, (M, 6 * 64)."""
    unfolded = nn.functional.unfold(packed.float(), PATCH, stride=PATCH)
    patches = unfolded.transpose(1, 2).reshape(-1, packed.shape[1] * PATCH**2)
    generator = torch.Generator().manual_seed(len(patches))
    return patches[torch.randperm(len(patches), generator=generator)[:MOST_PATCHES].to(packed.device)]
