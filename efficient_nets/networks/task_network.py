"""A network and what it was made for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from scaleflow.efficient_nets.data.label_maps import VOID
from scaleflow.efficient_nets.methods.known_methods import DENSE
from scaleflow.efficient_nets.methods.named_method import NamedMethod
from scaleflow.efficient_nets.networks.architecture import Architecture
from scaleflow.efficient_nets.tasks.description import TaskSettings
from scaleflow.efficient_nets.tasks.known_tasks import TASKS
from scaleflow.efficient_nets.tasks.restoration import NOISE
from scaleflow.efficient_nets.video.network import VideoNetwork
from scaleflow.errors import DataError, UsageError


@dataclass(frozen=True)
class TaskNetwork:
    """A network and what it was made for.

    Attributes:
        task: name of the task.
        classes: what its output channels stand for.
        network: in eval mode; of what was trained for a method, of the right form, without its weights.
        size: (width, height) of the pictures that it was trained on.
        void: number of no class in the labels of ``segmentation``.
        noise: standard deviation of that which ``restoration`` removes, of 255; 0 for other tasks.
        method: that the weights were trained for; ``dense`` for none.
        choices: of the candidates of each layer, where the method searched among some.
        tensors: weights of the network for video, where a method was trained.
        objects: of ``detection`` in label maps, as in ``car=8``.
    """

    task: str
    classes: tuple[str, ...]
    architecture: Architecture
    size: tuple[int, int]
    network: nn.Module
    void: int = VOID
    method: NamedMethod = field(default_factory=NamedMethod)
    choices: Mapping[str, str] = field(default_factory=dict)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    noise: float = 0.0
    objects: tuple[str, ...] = ()

    def for_video(self, method: NamedMethod) -> VideoNetwork:
        """The network made for video, with its weights.

        Raises:
            UsageError: it was trained for another method.
            DataError: its weights do not fit the method's settings.
        """
        if self.method.name not in (DENSE, method.name):
            raise UsageError(f"the network was trained for {self.method.name}: it cannot run as {method.name}")
        video = method.apply(self.network)
        if self.method.name == DENSE:
            return video
        take_form = method.description.take_form
        if take_form is not None and self.choices:
            take_form(video, self.choices)
        try:
            video.load_state_dict(self.tensors)
        except RuntimeError as error:
            said = str(error).splitlines()[-1].strip()
            raise DataError(f"the weights do not fit {method}: {said}") from error
        return video

    @property
    def task_settings(self) -> TaskSettings:
        """What the task is to be told."""
        classes = self.classes if TASKS[self.task].takes_classes else ()
        return TaskSettings(classes, self.void, self.noise or NOISE, self.objects)
