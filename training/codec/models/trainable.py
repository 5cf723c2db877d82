"""Codecs as the training loop sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import WorkingFormat
from scaleflow.training.codec.configuration import StageConfig
from scaleflow.training.loop.parts import StepLoss, Trainable


@dataclass(frozen=True)
class ClipBatch:
    """Successive pictures of N clips in 0..1.

    ``planes`` are luma (N, T, 1, H, W) and chroma (N, T, 2, H / 2, W / 2), or for RGB one tensor (N, T, 3, H, W).
    ``quality`` (N,) is what each clip is coded at, 0..63. ``mask`` (N, T, 1, H, W), where there is one, is 1 in regions
    of interest and 0 elsewhere.
    """

    planes: tuple[Tensor, ...]
    quality: Tensor
    mask: Tensor | None = None

    @property
    def frames(self) -> int:
        """Pictures of each clip."""
        return self.planes[0].shape[1]

    @property
    def pixels(self) -> int:
        """Of one picture."""
        return self.planes[0].shape[3] * self.planes[0].shape[4]


@dataclass(frozen=True)
class FlowField:
    """Motion of one picture to look at: flow (N, 2, h, w) in samples, scale (N, 1, h, w) in levels."""

    flow: Tensor
    scale: Tensor


@dataclass(frozen=True)
class DecodedClip:
    """Clips as they are decoded, with gradients, for losses beside that of the codec; of each picture one tensor.

    ``pictures`` and ``decoded`` are packed (N, 6, H / 2, W / 2); ``latents`` (N, C, h, w) those of the picture, or of
    its residual; ``bits`` (N,); ``flows`` (N, 2, H / 4, W / 4) of all pictures but the first, none where not known;
    ``qualities`` (N,), which key pictures have of their own.
    """

    pictures: list[Tensor]
    decoded: list[Tensor]
    latents: list[Tensor]
    bits: list[Tensor]
    flows: list[Tensor]
    qualities: list[Tensor]


@dataclass(frozen=True)
class StepResult(StepLoss):
    """With the last picture to look at: ``picture``, ``prediction`` and ``decoded`` are its planes in 0..1.

    ``clip`` is all that was decoded.
    """

    picture: tuple[Tensor, ...]
    decoded: tuple[Tensor, ...]
    prediction: tuple[Tensor, ...] | None = None
    motion: FlowField | None = None
    clip: DecodedClip | None = None


class TrainableModel(Trainable[StageConfig, ClipBatch, StepResult], Protocol):
    """A codec in training."""

    name: str
    working_format: WorkingFormat

    def freeze(self) -> VideoModel:
        """The model as a codec, with integer tables and priors, from the weights as they are."""


class TrainableCodec(TrainableModel, Protocol):
    """A codec whose own networks are trained, and whose loss others may add to."""

    def error_cost(self, error: Tensor, quality: Tensor) -> Tensor:
        """What errors of pictures (N,), in squared code values of 8 bits, at their qualities (N,), add to the loss."""
