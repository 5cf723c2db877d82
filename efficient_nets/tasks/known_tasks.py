"""All tasks. A new one is registered here, and nowhere else."""

from __future__ import annotations

from scaleflow.efficient_nets.registry import Registry
from scaleflow.efficient_nets.tasks.description import TaskDescription, TaskSettings
from scaleflow.efficient_nets.tasks.detection import Detection
from scaleflow.efficient_nets.tasks.detection_output import SIDES
from scaleflow.efficient_nets.tasks.foreground import Foreground
from scaleflow.efficient_nets.tasks.instances import Instances
from scaleflow.efficient_nets.tasks.keypoints import Keypoints
from scaleflow.efficient_nets.tasks.restoration import Restoration
from scaleflow.efficient_nets.tasks.segmentation import Segmentation
from scaleflow.efficient_nets.tasks.task import Task

TASKS: Registry[TaskDescription] = Registry(
    "task.name =",
    [
        TaskDescription(
            Segmentation.name,
            "labels",
            lambda settings: Segmentation(settings.classes, settings.void),
            takes_classes=True,
        ),
        TaskDescription(Foreground.name, "labels", lambda settings: Foreground()),
        TaskDescription(Keypoints.name, "places", lambda settings: Keypoints()),
        TaskDescription(Instances.name, "labels", lambda settings: Instances()),
        TaskDescription(
            Detection.name,
            "places",
            lambda settings: Detection(settings.objects),
            extra_outputs=SIDES,
            takes_objects=True,
        ),
        TaskDescription(Restoration.name, "pictures", lambda settings: Restoration(settings.noise), takes_noise=True),
        TaskDescription("action", "actions", None, own_method="FrameExit"),
    ],
)


def make_task(name: str, settings: TaskSettings | None = None) -> Task:
    """A task by its name. Raises :class:`UsageError` where there is none, or where it does not take the settings."""
    return TASKS[name].task(settings or TaskSettings())
