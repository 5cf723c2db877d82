"""Networks of any task that look at pictures and learn nothing, with gradients for the pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.efficient_nets.frame_exit.network import FrameExit
from scaleflow.efficient_nets.frame_exit.weights_file import is_action_network, read_action_network
from scaleflow.efficient_nets.methods.known_methods import DENSE
from scaleflow.efficient_nets.networks.weights_file import read_network, weights_of_run
from scaleflow.efficient_nets.tasks.known_tasks import TASKS
from scaleflow.efficient_nets.tasks.task import Task
from scaleflow.errors import DataError, UsageError

ACTION = "action"

LEAST_SIDE = 32
"""Of pictures that networks are shown: backbones reduce them so far."""


@dataclass(frozen=True)
class Findings:
    """What a network makes of pictures: its ``outputs`` (N, classes, h, w), or (N, classes) of actions, and the
    ``features`` (N, C, h, w) or (N, C) that its last layer sees."""

    outputs: Tensor
    features: Tensor


class FrozenNetwork:
    """A network in eval mode, none of whose weights learns.

    Attributes:
        task: name of its task.
        noise: standard deviation of the noise that it expects in pictures in 0..1: of ``restoration``.
    """

    def __init__(
        self, task: str, module: nn.Module, look: Callable[[Tensor], Findings], step: int, noise: float
    ) -> None:
        """``look`` is what ``module`` makes of pictures whose sides are multiples of ``step``."""
        self.task, self.noise = task, noise
        self._module, self._look, self._step = module.requires_grad_(False).eval(), look, step
        module.to(memory_format=torch.channels_last)

    def look(self, pictures: Tensor) -> Findings:
        """What it finds in pictures (N, 3, H, W) in 0..1, on their device, with gradients for them."""
        self._module.to(pictures.device)
        return self._look(pictures.contiguous(memory_format=torch.channels_last))

    def scaled(self, pictures: Tensor, scale: float) -> Tensor:
        """Pictures (N, 3, H, W) as large as the network is to see them, reduced as where networks are measured.

        Sides are rounded to what the network takes.
        """
        size = [max(LEAST_SIDE, round(side * scale / self._step) * self._step) for side in pictures.shape[2:]]
        if size == list(pictures.shape[2:]):
            return pictures
        return F.interpolate(pictures, size=size, mode="bilinear", antialias=True).clamp(0, 1)


@dataclass(frozen=True)
class TaskOfNetwork:
    """A network, and its task where that has labels for each picture; None for actions."""

    network: FrozenNetwork
    task: Task | None


def read_frozen_network(run: Path, task: str = "") -> TaskOfNetwork:
    """The dense network of a run of ``scaleflow nets train``, or of a file of its weights.

    Args:
        run: the folder, or the file.
        task: the task that it must be for; empty for any.

    Raises:
        UsageError: there is no such network, it is for another task, or was trained for a method.
        DataError: the file is damaged, or holds something else.
    """
    if task and task not in TASKS:
        raise UsageError(f"task {task!r} is unknown: use {', '.join(TASKS)}", fields=("task",))
    path = weights_of_run(run)
    if is_action_network(path):
        _check_task(path, ACTION, task)
        network = read_action_network(path).gated.network
        return TaskOfNetwork(FrozenNetwork(ACTION, network, _looks_at_frames(network), 1, 0.0), None)
    trained = read_network(path)
    _check_task(path, trained.task, task)
    if trained.method.name != DENSE:
        raise UsageError(
            f"{path}: was trained for {trained.method.name}, which needs pictures in their order: take the dense "
            "network that it started from"
        )
    step = trained.architecture.size_step(trained.task)
    look = _looks_with_last_layer(trained.network, path)
    frozen = FrozenNetwork(trained.task, trained.network, look, step, trained.noise / 255)
    return TaskOfNetwork(frozen, TASKS[trained.task].task(trained.task_settings))


def _check_task(path: Path, found: str, wanted: str) -> None:
    if wanted and found != wanted:
        raise UsageError(f"{path}: was trained for {found}, not for task {wanted}", fields=("task",))


def _looks_with_last_layer(module: nn.Module, path: Path) -> Callable[[Tensor], Findings]:
    """Outputs, and what the last convolution was given for them."""
    convolutions = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    if not convolutions:
        raise DataError(f"{path}: its network has no convolution")
    seen: list[Tensor] = []
    convolutions[-1].register_forward_pre_hook(lambda layer, given: seen.append(given[0]))

    def look(pictures: Tensor) -> Findings:
        seen.clear()
        outputs: Tensor = module(pictures)
        return Findings(outputs.float(), seen.pop().float())

    return look


def _looks_at_frames(network: FrameExit) -> Callable[[Tensor], Findings]:
    """Each picture as the first that is looked at: what its features say, and the first classifier of them."""

    def look(pictures: Tensor) -> Findings:
        features = network.frame_features(pictures, [network.order[0]] * len(pictures))
        return Findings(network.classifiers[0](features).float(), features.float())

    return look
