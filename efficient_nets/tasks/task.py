"""What training and evaluation need to know of a task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from scaleflow.efficient_nets.data.labelled_frames import LabelledData
from scaleflow.efficient_nets.data.window import Window

OUTPUT_STRIDE = 4
"""Lines and columns of a picture for one of the output of a network that finds places: what points and boxes are
learned and read at."""


class Meter(Protocol):
    """Adds up how well predictions fit."""

    def add(self, video: str, prediction: Tensor, target: Tensor) -> None:
        """Take in a frame of a video; both as :meth:`TaskMeasure.prediction` gives them."""

    def values(self) -> dict[str, float]:
        """Measures by name, the task's own first; NaN where nothing can be said."""


class TaskMeasure(Protocol):
    """What measuring a network needs to know of a task.

    Attributes:
        name: as it is asked for.
        measure: name of the value that says how well a network does; more is better.
    """

    name: str
    measure: str

    def prediction(self, output: Tensor, size: tuple[int, int]) -> Tensor:
        """What a network's output (classes, h, w) says, in the form of a target of a picture (height, width)."""

    def change(self, before: Tensor, after: Tensor) -> float:
        """How much two predictions differ; 0 where they are the same."""

    def meter(self, classes: Sequence[str]) -> Meter:
        """A new one."""


class Task(TaskMeasure, Protocol):
    """A task.

    Attributes:
        mirrors: pictures that are mirrored are as good as others.
    """

    mirrors: bool

    def open(self, folder: Path, part: str) -> LabelledData:
        """Find the data below a folder.

        Args:
            part: ``train`` or ``val``, where the folder has such parts.

        Raises:
            UsageError: there is no such folder, or it has another layout.
            DataError: it is empty, or labels have another form.
        """

    def move(self, target: Tensor, window: Window) -> Tensor:
        """The target of the part of a picture that a window shows."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of outputs (N, classes, h, w) in float32 for pictures of the size of the targets, a scalar."""

    def learn(self, data: LabelledData) -> None:
        """Take from training data what the loss needs."""


@runtime_checkable
class PictureTask(Task, Protocol):
    """A task whose targets are the pictures themselves, of which networks are shown something else."""

    def degraded(self, picture: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """What a network is shown of a picture (3, H, W) in 0..1, and the target, in the form of the task."""


def example(
    task: TaskMeasure, picture: Tensor, target: Tensor, generator: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """What a network is shown of a picture and its target, both brought to their size."""
    return task.degraded(picture, generator) if isinstance(task, PictureTask) else (picture, target)


def generator_of_frame(number: int) -> np.random.Generator:
    """For :func:`example` where networks are measured: the same for a frame, whatever else is measured."""
    return np.random.default_rng((3, number))
