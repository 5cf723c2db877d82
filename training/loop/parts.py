"""What the training loop needs to know of a configuration, of data and of what is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol

from torch import Tensor, nn
from typing_extensions import TypeVar

from scaleflow.training.loop.configuration import LoopOptimization


class ScheduledStage(Protocol):
    """A stage of a run: so many steps, each at its learning rate."""

    @property
    def name(self) -> str:
        """Of the stage, also of its checkpoints."""

    @property
    def steps(self) -> int:
        """Optimizer steps."""

    def learning_rate_at(self, step: int) -> float:
        """Of a step, for parameters that learn at the plain rate."""


@dataclass(frozen=True)
class StepLoss:
    """A batch's loss, and means of what is worth logging."""

    loss: Tensor
    scalars: dict[str, float]


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share a multiple of the learning rate, and the name that checkpoints know them by.

    Those with a loss of their own are not ``clipped``: their gradients say nothing of the others'.
    """

    parameters: list[nn.Parameter]
    rate: float = 1.0
    names: list[str] = field(default_factory=list)
    clipped: bool = True


Stage = TypeVar("Stage", bound=ScheduledStage, default=Any)
Batch = TypeVar("Batch", default=Any)
Result = TypeVar("Result", bound=StepLoss, default=Any)
AnyStage = TypeVar("AnyStage", bound=ScheduledStage, default=Any, contravariant=True)
TakenBatch = TypeVar("TakenBatch", default=Any, contravariant=True)
AnyResult = TypeVar("AnyResult", bound=StepLoss, default=Any, covariant=True)


@dataclass(frozen=True)
class MicroBatch(Generic[Batch]):
    """Part of a step's clips; ``number`` is its place among the step's parts, ``share`` its share of the clips."""

    number: int
    share: float
    clips: Batch


class BatchSource(Protocol[AnyStage, Batch]):
    """Where clips come from; the same clips have the same numbers however many processes there are."""

    def steps(self, number: int, stage: AnyStage, first_step: int) -> Iterator[list[MicroBatch[Batch]]]:
        """For each step of stage ``number``, from ``first_step`` on, the parts that this process works on."""

    def start(self, number: int, stage: AnyStage) -> Iterator[Batch]:
        """The clips of the stage from its first on, of all processes."""


class Trainable(Protocol[AnyStage, TakenBatch, AnyResult]):
    """A model as the loop sees it."""

    @property
    def network(self) -> nn.Module:
        """All its networks."""

    def start(self, stage: AnyStage, batches: Iterator[TakenBatch]) -> None:
        """Prepare a stage from data, before its first step; the same on every process."""

    def parameter_groups(self, stage: AnyStage) -> list[ParameterGroup]:
        """What the stage trains."""

    def step(self, batch: TakenBatch, stage: AnyStage) -> AnyResult:
        """The loss of a batch; gradients have not been computed."""


class ValidationSchedule(Protocol):
    """When to validate."""

    @property
    def every(self) -> int:
        """Steps; 0 only at the end of stages."""


StageOf = TypeVar("StageOf", bound=ScheduledStage, default=Any, covariant=True)


class LoopConfig(Protocol[StageOf]):
    """What the loop reads of a configuration."""

    kept_when_resumed: ClassVar[Sequence[str]]
    """Parts that must not differ where a run is resumed."""

    @property
    def stages(self) -> Sequence[StageOf]:
        """In their order."""

    @property
    def optimization(self) -> LoopOptimization:
        """What all stages share."""

    @property
    def validation(self) -> ValidationSchedule:
        """When to validate."""

    @property
    def seed(self) -> int:
        """Of everything random."""

    @property
    def checkpoint_every(self) -> int:
        """Steps."""

    @property
    def log_every(self) -> int:
        """Steps."""

    def to_mapping(self) -> Mapping[str, Any]:
        """As checkpoints hold it."""
