"""Configuration of the training of a network for a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from scaleflow.efficient_nets.frame_exit.network import FrameExitConfig
from scaleflow.efficient_nets.methods.known_methods import DENSE
from scaleflow.efficient_nets.methods.named_method import NamedMethod
from scaleflow.efficient_nets.networks.architecture import Architecture
from scaleflow.efficient_nets.tasks.description import TaskDescription, TaskSettings
from scaleflow.efficient_nets.tasks.known_tasks import TASKS
from scaleflow.efficient_nets.tasks.restoration import NOISE
from scaleflow.efficient_nets.tasks.segmentation import CAMVID_VOID
from scaleflow.errors import UsageError
from scaleflow.quality_range import HIGHEST_QUALITY
from scaleflow.training.loop.configuration import STRICT, RunConfig, check_range
from scaleflow.training.loop.single_stage import SingleStage


@dataclass(frozen=True)
class TaskConfig:
    """What the network is for.

    Attributes:
        name: one of :data:`scaleflow.efficient_nets.tasks.known_tasks.TASKS`.
        classes: of ``segmentation``, from number 0 on; where empty, Cityscapes' for data in its layout, CamVid's for
            others. Other tasks find theirs in the data.
        void: number that stands for no class, of ``segmentation``.
        noise: standard deviation of that which ``restoration`` removes, of 255.
        objects: of ``detection`` in label maps: names, and numbers in the maps, as in ``car=8``; CamVid's where empty.
    """

    __pydantic_config__ = STRICT

    name: str = "segmentation"
    classes: tuple[str, ...] = ()
    void: int = CAMVID_VOID
    noise: float = NOISE
    objects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _ = self.description

    @property
    def description(self) -> TaskDescription:
        """What the task says of itself. Raises :class:`UsageError` where there is none of that name."""
        return TASKS[self.name]

    def settings(self) -> TaskSettings:
        """What the task is to be told."""
        return TaskSettings(self.classes, self.void, self.noise, self.objects)


@dataclass(frozen=True)
class NetworkConfig:
    """Which network.

    Attributes:
        name, width, blocks, decoder, patch, skipped: see
            :class:`scaleflow.efficient_nets.networks.architecture.Architecture`.
        start: ``random``; ``imagenet``, for ``efficientnet-lite0``; a file that this training wrote, or a run's folder;
            or a ``.pth`` file of torchvision's ResNet, for the backbone of ``resnet`` with width 64.
    """

    __pydantic_config__ = STRICT

    name: str = "resnet"
    width: int = 48
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)
    decoder: int = 64
    patch: int = 0
    skipped: tuple[int, int] = (3, 8)
    start: str = "random"

    def __post_init__(self) -> None:
        self.architecture()

    def architecture(self) -> Architecture:
        """Without the start."""
        return Architecture(self.name, self.width, self.blocks, self.decoder, self.patch, self.skipped)


@dataclass(frozen=True)
class NetworkDataConfig:
    """Where labelled pictures come from, and how they are varied.

    Attributes:
        path: folder of the data.
        validation: folder of the data that is validated on. Where it is empty, what is held out, or the part ``val``
            of ``path``, if there is one.
        hold_out: names of videos or frames, or patterns as of a shell, that are not trained on.
        size: (width, height) that pictures are brought to; (0, 0) for that of the first one, or the next smaller one
            that fits the network.
        crop: (width, height) of the parts that are trained on; (0, 0) for all of ``size``.
        scale: smallest and largest factor by which ``size`` is varied.
        mirror: at random, where the task allows it.
        brightness: largest change of brightness and contrast.
        coded: qualities, 0..63, at which the shipped codec codes what is trained on, one or none for each clip; empty
            for pictures as they are. Not of ``restoration``, whose targets are the pictures.
        clips: ``video`` takes successive frames of videos; ``moved`` makes clips of single pictures, by a window that
            moves over each, where there are labels for single pictures only.
        speed: largest movement of that window, in samples from frame to frame.
        workers: processes that load; 0 loads between the steps.
    """

    __pydantic_config__ = STRICT

    path: str = ""
    validation: str = ""
    hold_out: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)
    crop: tuple[int, int] = (0, 0)
    scale: tuple[float, float] = (0.75, 1.5)
    mirror: bool = True
    brightness: float = 0.25
    coded: tuple[float, ...] = ()
    clips: Literal["video", "moved"] = "video"
    speed: float = 4.0
    workers: int = 0

    def __post_init__(self) -> None:
        for name in ("size", "crop"):
            sides = getattr(self, name)
            if sides != (0, 0) and min(sides) < 32:
                raise UsageError(f"data.{name} = {sides}: width and height of 32 and more are needed, or (0, 0)")
        if not 0.1 <= self.scale[0] <= self.scale[1] <= 10:
            raise UsageError(f"data.scale = {self.scale}: two rising factors within 0.1..10 are needed")
        check_range("data.brightness", self.brightness, 0, 1)
        for quality in self.coded:
            check_range("data.coded", quality, 0, HIGHEST_QUALITY)
        check_range("data.speed", self.speed, 0, 64)
        check_range("data.workers", self.workers, 0, 256)


@dataclass(frozen=True)
class ActionConfig:
    """What is behind the backbone of ``action``; see
    :class:`scaleflow.efficient_nets.frame_exit.network.FrameExitConfig`.

    Attributes:
        frames: most that are looked at, evenly spread over a video.
        features, gate, placed: see there.
        strictness: the paper's beta; each value gets gates of its own, all of which are trained at once, as gates
            change nothing but where a video is left.
    """

    __pydantic_config__ = STRICT

    frames: int = 10
    features: int = 512
    gate: int = 64
    placed: bool = True
    strictness: tuple[float, ...] = (0.3, 0.1, 0.03, 0.01, 0.001)

    def __post_init__(self) -> None:
        if not self.strictness:
            raise UsageError("action.strictness is empty: give one value or more, such as [0.1, 0.01]")
        for value in self.strictness:
            replace(self.network(2), strictness=value)

    def network(self, classes: int) -> FrameExitConfig:
        """With the first strictness."""
        return FrameExitConfig(classes, self.frames, self.features, self.gate, self.strictness[0], self.placed)


@dataclass(frozen=True)
class NetworkStage(SingleStage):
    """The steps of a run.

    Attributes:
        batch: pictures, or clips, of a step.
        clip: frames of a clip; 1 for pictures that stand alone.
        backbone_rate: how much slower a backbone learns that starts from weights.
        steps, learning_rate, schedule, warm_up: see :class:`scaleflow.training.loop.single_stage.SingleStage`.
    """

    __pydantic_config__ = STRICT

    clip: int = 1
    backbone_rate: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("training.clip", self.clip, 1, 100)
        check_range("training.backbone_rate", self.backbone_rate, 1e-6, 1)


@dataclass(frozen=True)
class NetworkValidation:
    """Accuracy on labelled pictures.

    Attributes:
        every: steps; 0 only at the end.
        frames: most frames, evenly spread; 0 for all.
    """

    __pydantic_config__ = STRICT

    every: int = 0
    frames: int = 0

    def __post_init__(self) -> None:
        check_range("validation.every", self.every, 0, 10**9)
        check_range("validation.frames", self.frames, 0, 10**9)


@dataclass(frozen=True)
class MethodConfig:
    """What makes the network fast on video, where that is trained too.

    Attributes:
        name: ``dense`` trains the network itself; others: see :mod:`scaleflow.efficient_nets.methods.known_methods`.
        settings: of the method.
        weight: of the share of MACs that it spends, where it learns what to spend, beside the task's loss.
        distillation: weight of the error of predicted changes, of ``delta-distillation``; that loss starts at 1.
    """

    __pydantic_config__ = STRICT

    name: str = DENSE
    settings: dict[str, Any] = field(default_factory=dict)
    weight: float = 0.1
    distillation: float = 0.1

    def __post_init__(self) -> None:
        check_range("method.weight", self.weight, 0, 1e6)
        check_range("method.distillation", self.distillation, 0, 1e6)
        if not self.named().description.trains:
            raise UsageError(f"method.name = {self.name}: has nothing to train: give it to scaleflow nets eval")

    def named(self) -> NamedMethod:
        """The method with its settings."""
        return NamedMethod(self.name, self.settings)


@dataclass(frozen=True)
class NetworkTrainingConfig(RunConfig):
    """A whole run.

    Attributes:
        task, network, data, training, method, optimization, validation: see there.
        action: of that task alone.
    """

    __pydantic_config__ = STRICT
    kept_when_resumed: ClassVar[Sequence[str]] = (
        "task",
        "network",
        "action",
        "training",
        "method",
        "optimization",
        "seed",
    )

    task: TaskConfig = field(default_factory=TaskConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    data: NetworkDataConfig = field(default_factory=NetworkDataConfig)
    training: NetworkStage = field(default_factory=NetworkStage)
    method: MethodConfig = field(default_factory=MethodConfig)
    validation: NetworkValidation = field(default_factory=NetworkValidation)
    action: ActionConfig = field(default_factory=ActionConfig)

    def __post_init__(self) -> None:
        if self.method.name == DENSE and self.training.clip > 1:
            raise UsageError(f"training.clip = {self.training.clip}: the dense network is trained on single pictures")
        if self.method.name != DENSE and self.training.clip < 2:
            raise UsageError(f"training.clip = 1: {self.method.name} is trained on clips of two frames and more")
        own = self.task.description.own_method
        if own and self.method.name != DENSE:
            raise UsageError(
                f"method.name = {self.method.name}: the task {self.task.name} has its own, {own}; leave it out"
            )
        tasks = self.method.named().description.tasks
        if tasks and self.task.name not in tasks:
            raise UsageError(
                f"method.name = {self.method.name}: is trained with {' or '.join(tasks)}, not with {self.task.name}"
            )
        super().__post_init__()

    @property
    def stages(self) -> tuple[NetworkStage, ...]:
        """See :class:`scaleflow.training.loop.parts.LoopConfig`."""
        return (self.training,)
