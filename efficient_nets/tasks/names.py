"""Tasks by name."""

from __future__ import annotations

from collections.abc import Sequence

from codec.errors import UsageError
from efficient_nets.tasks.foreground import Foreground
from efficient_nets.tasks.instances import Instances
from efficient_nets.tasks.keypoints import Keypoints
from efficient_nets.tasks.restoration import NOISE, Restoration
from efficient_nets.tasks.segmentation import CAMVID_VOID, Segmentation
from efficient_nets.tasks.task import Task

TASKS = ("segmentation", "foreground", "keypoints", "instances", "restoration")


def make_task(name: str, classes: Sequence[str] = (), void: int = CAMVID_VOID, noise: float = NOISE) -> Task:
    """A task.

    Args:
        classes: names of the classes of ``segmentation``; where empty, CamVid's or what the layout of the data says.
            Others find theirs in the data.
        void: number of what is no class, of ``segmentation``.
        noise: standard deviation of that which ``restoration`` removes, of 255.

    Raises:
        UsageError: the name is unknown, or the task takes no classes.
    """
    if name == "segmentation":
        return Segmentation(classes, void)
    if classes and name in TASKS:
        raise UsageError(f"task.classes: {name} finds its classes in the data; leave them out")
    if name == "foreground":
        return Foreground()
    if name == "keypoints":
        return Keypoints()
    if name == "instances":
        return Instances()
    if name == "restoration":
        return Restoration(noise)
    raise UsageError(f"task {name!r} is unknown: use {', '.join(TASKS)}")
