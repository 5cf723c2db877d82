"""What a task says of itself to networks, and to those that train and measure them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from scaleflow.efficient_nets.tasks.restoration import NOISE
from scaleflow.efficient_nets.tasks.segmentation import CAMVID_VOID
from scaleflow.efficient_nets.tasks.task import Task
from scaleflow.errors import UsageError

Gives = Literal["labels", "places", "pictures", "actions"]


@dataclass(frozen=True)
class TaskSettings:
    """What can be said of a task beside its name; each task takes its own part.

    Attributes:
        classes: names of the classes of ``segmentation``; where empty, CamVid's or what the layout of the data says.
            Others find theirs in the data.
        void: number of what is no class, of ``segmentation``.
        noise: standard deviation of that which ``restoration`` removes, of 255.
        objects: of ``detection`` in label maps, as in ``car=8``; CamVid's where empty.
    """

    classes: tuple[str, ...] = ()
    void: int = CAMVID_VOID
    noise: float = NOISE
    objects: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskDescription:
    """A task.

    Attributes:
        name: as people type it.
        gives: what the outputs of its networks are: the class of each position, places at a quarter of the picture's
            lines and columns, pictures, or the action that a whole video shows.
        make: the task itself; None where examples are whole videos, which are read and measured in a way of their own.
        extra_outputs: channels of a network beside those of the classes.
        takes_classes, takes_objects, takes_noise: whether these of :class:`TaskSettings` are for it.
        own_method: what makes its networks fast, where that is part of the task.
    """

    name: str
    gives: Gives
    make: Callable[[TaskSettings], Task] | None
    extra_outputs: int = 0
    takes_classes: bool = False
    takes_objects: bool = False
    takes_noise: bool = False
    own_method: str = ""

    def outputs(self, classes: int) -> int:
        """Channels of a network for so many classes."""
        return classes + self.extra_outputs

    def task(self, settings: TaskSettings) -> Task:
        """The task.

        Raises:
            UsageError: it takes no classes, or no objects, or its examples are whole videos.
        """
        if settings.objects and not self.takes_objects:
            raise UsageError(f"task.objects: {self.name} takes none; leave them out")
        if settings.classes and not self.takes_classes:
            raise UsageError(f"task.classes: {self.name} finds its classes in the data; leave them out")
        if self.make is None:
            raise UsageError(f"task {self.name}: its examples are whole videos; choose a task of pictures")
        return self.make(settings)
