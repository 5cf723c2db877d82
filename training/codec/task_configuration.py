"""What is added to the loss of a codec for a network that will look at its pictures."""

from __future__ import annotations

from dataclasses import dataclass

from scaleflow.efficient_nets.network_loss.distance_kinds import Distance
from scaleflow.training.loop.configuration import STRICT, check_range


@dataclass(frozen=True)
class TaskConfig:
    """A frozen network, and how much it counts that it finds in decoded pictures what it finds in originals.

    Attributes:
        network: a run of ``scaleflow nets train``, or its weights.
        name: the task that the network must be for; empty for whichever it is for.
        distance: ``outputs`` of the network for original and decoded pictures, or the ``features`` before its last
            layer: neither takes labels. ``labels`` is the task's own loss against the annotations of ``data.masks``,
            of ``foreground``.
        weight: squared code values that a distance of 1 is worth.
        scale: what pictures are scaled by before the network sees them: the size that it is measured at, over that
            of the videos.
        pictures: of each clip that the network sees in a step, drawn at random; 0 for all. Its cost falls with them.
    """

    __pydantic_config__ = STRICT

    network: str = ""
    name: str = ""
    distance: Distance = "outputs"
    weight: float = 2000.0
    scale: float = 1.0
    pictures: int = 2

    def __post_init__(self) -> None:
        check_range("task.weight", self.weight, 0, 1e6)
        check_range("task.scale", self.scale, 1 / 16, 4)
        check_range("task.pictures", self.pictures, 0, 100)
