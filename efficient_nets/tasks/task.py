"""What training and evaluation need to know of a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from scaleflow.efficient_nets.tasks.picture_file import read_picture
from scaleflow.efficient_nets.tasks.window import Window
from scaleflow.errors import UsageError


@dataclass(frozen=True)
class LabelledFrame:
    """A picture and what is known of it.

    Attributes:
        video: what it belongs to; frames of one video stand behind one another, in the order of time.
        name: within the video.
        picture: its file.
        target: reads what a network should find, in the form of the task.
    """

    video: str
    name: str
    picture: Path
    target: Callable[[], Tensor]

    @property
    def full_name(self) -> str:
        """Video and name."""
        return f"{self.video}/{self.name}" if self.video else self.name

    def read_picture(self) -> Tensor:
        """RGB (3, H, W) in 0..1. Raises :class:`DataError` where it cannot be read."""
        return read_picture(self.picture)


@dataclass(frozen=True)
class LabelledData:
    """Frames with labels.

    Attributes:
        place: where they were found, for messages.
        classes: what the output channels of a network stand for.
        frames: in the order of the videos, and of time.
        still: frames stand alone, and are no video together.
        condition: what is done to pictures before a network is shown them, for messages; empty for nothing.
    """

    place: str
    classes: tuple[str, ...]
    frames: tuple[LabelledFrame, ...]
    still: bool = False
    condition: str = ""

    def chosen(self, patterns: Sequence[str]) -> LabelledData:
        """Frames whose video or name matches one of the patterns, as a shell matches them.

        Raises:
            UsageError: a pattern matches none.
        """
        for pattern in patterns:
            if not any(_matches(frame, [pattern]) for frame in self.frames):
                names = ", ".join(list(dict.fromkeys(frame.video or frame.name for frame in self.frames))[:4])
                raise UsageError(f"{pattern!r} names no video and no frame of {self.place}: there are {names}, ...")
        return self._with([frame for frame in self.frames if _matches(frame, patterns)])

    def without(self, patterns: Sequence[str]) -> LabelledData:
        """The other frames. Raises :class:`UsageError` where none are left."""
        left = [frame for frame in self.frames if not _matches(frame, patterns)]
        if not left:
            raise UsageError(f"{', '.join(patterns)} match all frames of {self.place}: none are left")
        return self._with(left)

    def videos(self) -> Mapping[str, tuple[LabelledFrame, ...]]:
        """Frames by video, or by frame where these stand alone."""
        found: dict[str, list[LabelledFrame]] = {}
        for frame in self.frames:
            found.setdefault(frame.full_name if self.still else frame.video, []).append(frame)
        return {name: tuple(frames) for name, frames in found.items()}

    def _with(self, frames: Sequence[LabelledFrame]) -> LabelledData:
        return LabelledData(self.place, self.classes, tuple(frames), self.still, self.condition)


class Meter(Protocol):
    """Adds up how well predictions fit."""

    def add(self, video: str, prediction: Tensor, target: Tensor) -> None:
        """Take in a frame of a video; both as :meth:`Task.prediction` gives them."""

    def values(self) -> dict[str, float]:
        """Measures by name, the task's own first; NaN where nothing can be said."""


class Task(Protocol):
    """A task.

    Attributes:
        name: as it is asked for.
        measure: name of the value that says how well a network does; more is better.
        mirrors: pictures that are mirrored are as good as others.
    """

    name: str
    measure: str
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

    def prediction(self, output: Tensor, size: tuple[int, int]) -> Tensor:
        """What a network's output (classes, h, w) says, in the form of a target of a picture (height, width)."""

    def change(self, before: Tensor, after: Tensor) -> float:
        """How much two predictions differ; 0 where they are the same."""

    def meter(self, classes: Sequence[str]) -> Meter:
        """A new one."""


@runtime_checkable
class PictureTask(Task, Protocol):
    """A task whose targets are the pictures themselves, of which networks are shown something else."""

    def degraded(self, picture: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """What a network is shown of a picture (3, H, W) in 0..1, and the target, in the form of the task."""


def example(task: Task, picture: Tensor, target: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    """What a network is shown of a picture and its target, both brought to their size."""
    return task.degraded(picture, generator) if isinstance(task, PictureTask) else (picture, target)


def generator_of_frame(number: int) -> np.random.Generator:
    """For :func:`example` where networks are measured: the same for a frame, whatever else is measured."""
    return np.random.default_rng((3, number))


def check_folder(folder: Path) -> None:
    """Raises :class:`UsageError` where there is no such folder."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder")


def _matches(frame: LabelledFrame, patterns: Sequence[str]) -> bool:
    names = (frame.video, frame.name, frame.full_name)
    return any(fnmatch(name, pattern) for pattern in patterns for name in names)
