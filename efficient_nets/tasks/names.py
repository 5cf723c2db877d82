"""Tasks by name."""

from __future__ import annotations

from collections.abc import Sequence

from scaleflow.efficient_nets.tasks.detection import Detection
from scaleflow.efficient_nets.tasks.foreground import Foreground
from scaleflow.efficient_nets.tasks.instances import Instances
from scaleflow.efficient_nets.tasks.keypoints import Keypoints
from scaleflow.efficient_nets.tasks.restoration import NOISE, Restoration
from scaleflow.efficient_nets.tasks.segmentation import CAMVID_VOID, Segmentation
from scaleflow.efficient_nets.tasks.task import Task
from scaleflow.errors import UsageError

TASKS = ("segmentation", "foreground", "keypoints", "instances", "detection", "restoration")


def make_task(
    name: str,
    classes: Sequence[str] = (),
    void: int = CAMVID_VOID,
    noise: float = NOISE,
    objects: Sequence[str] = (),
) -> Task:
    """A task.

    Args:
        classes: names of the classes of ``segmentation``; where empty, CamVid's or what the layout of the data says.
            Others find theirs in the data.
        void: number of what is no class, of ``segmentation``.
        noise: standard deviation of that which ``restoration`` removes, of 255.
        objects: of ``detection`` in label maps, as in ``car=8``; CamVid's where empty.

    Raises:
        UsageError: the name is unknown, or the task takes no classes, or no objects.
    """
    if objects and name in TASKS and name != "detection":
        raise UsageError(f"task.objects: {name} takes none; leave them out")
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
    if name == "detection":
        return Detection(objects)
    raise UsageError(f"task {name!r} is unknown: use {', '.join(TASKS)}")
