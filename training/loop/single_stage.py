"""The one stage of a run that trains one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scaleflow.training.loop.configuration import STRICT, Schedule, check_range, learning_rate_factor


@dataclass(frozen=True)
class SingleStage:
    """The steps of a run; implements :class:`scaleflow.training.loop.parts.ScheduledStage`.

    Attributes:
        steps: optimizer steps.
        batch: samples of a step.
        learning_rate: at its highest, after warm-up.
        schedule: ``cosine`` falls to 2 % of it, ``step`` divides it by ten at 80 % of the steps.
        warm_up: steps.
    """

    __pydantic_config__ = STRICT
    name: ClassVar[str] = "training"

    steps: int = 2000
    batch: int = 4
    learning_rate: float = 1e-3
    schedule: Schedule = "cosine"
    warm_up: int = 50

    def __post_init__(self) -> None:
        check_range("training.steps", self.steps, 1, 10**9)
        check_range("training.batch", self.batch, 1, 10**6)
        check_range("training.learning_rate", self.learning_rate, 1e-9, 1)
        check_range("training.warm_up", self.warm_up, 0, 10**9)

    def learning_rate_at(self, step: int) -> float:
        """See :class:`scaleflow.training.loop.parts.ScheduledStage`."""
        return self.learning_rate * learning_rate_factor(self.schedule, step, self.steps, self.warm_up)
