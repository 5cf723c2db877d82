"""What the training loop needs to know of a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor, nn

from codec.models.video_model import VideoModel
from codec.picture import WorkingFormat
from training.configuration import StageConfig


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
class StepResult:
    """A batch's loss, means of what is worth logging, and the last picture to look at.

    ``picture``, ``prediction`` and ``decoded`` are planes of the last picture in 0..1.
    """

    loss: Tensor
    scalars: dict[str, float]
    picture: tuple[Tensor, ...]
    decoded: tuple[Tensor, ...]
    prediction: tuple[Tensor, ...] | None = None
    motion: FlowField | None = None


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share a multiple of the learning rate, and the name that checkpoints know them by.

    Those with a loss of their own are not ``clipped``: their gradients say nothing of the others'.
    """

    parameters: list[nn.Parameter]
    rate: float = 1.0
    names: list[str] = field(default_factory=list)
    clipped: bool = True


class TrainableModel(Protocol):
    """A model as the loop sees it."""

    name: str
    working_format: WorkingFormat

    @property
    def network(self) -> nn.Module:
        """All its networks."""

    def start(self, stage: StageConfig, batches: Iterator[ClipBatch]) -> None:
        """Prepare a stage from data, before its first step; the same on every process."""

    def parameter_groups(self, stage: StageConfig) -> list[ParameterGroup]:
        """What the stage trains."""

    def step(self, batch: ClipBatch, stage: StageConfig) -> StepResult:
        """The loss of a batch; gradients have not been computed."""

    def freeze(self) -> VideoModel:
        """The model as a codec, with integer tables and priors, from the weights as they are."""
