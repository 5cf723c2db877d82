"""Networks for tasks, with weights drawn by chance."""

from __future__ import annotations

from torch import nn

from scaleflow.efficient_nets.networks.architecture import Architecture
from scaleflow.efficient_nets.networks.description import AnyBackbone
from scaleflow.efficient_nets.networks.known_networks import NETWORKS
from scaleflow.efficient_nets.tasks.known_tasks import TASKS
from scaleflow.errors import UsageError


def check_task(name: str, task: str) -> None:
    """Raises :class:`UsageError` where a network cannot do a task."""
    network, gives = NETWORKS[name], TASKS[task].gives
    if gives == "pictures" and not network.gives_pictures:
        able = [other for other in NETWORKS if NETWORKS[other].gives_pictures]
        raise UsageError(f"network.name = {name}: gives no pictures: use {', '.join(able)}")
    if gives == "places" and network.resolution == "full":
        raise UsageError(
            f"network.name = {name}: its outputs are as large as the picture, and {task} is learned at a "
            "quarter of that: use resnet or another"
        )


def build_network(architecture: Architecture, outputs: int, task: str = "segmentation") -> nn.Module:
    """A network with so many output channels: see ``TaskDescription.outputs``.

    Raises:
        UsageError: the network is not for the task.
    """
    check_task(architecture.name, task)
    return architecture.description.build(architecture, outputs, TASKS[task].gives)


def build_backbone(architecture: Architecture) -> AnyBackbone:
    """The part that gives features.

    Raises:
        UsageError: the network is no backbone with something behind it.
    """
    backbone = architecture.description.backbone
    if backbone is None:
        able = " or ".join(name for name in NETWORKS if NETWORKS[name].backbone is not None)
        raise UsageError(f"network.name = {architecture.name} is no backbone: use {able}")
    return backbone(architecture)
