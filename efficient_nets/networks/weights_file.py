"""Networks by name, and their weights in files that say what they are."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.delta_distillation.delta_layer import Candidate
from scaleflow.efficient_nets.delta_distillation.finalize import finalize
from scaleflow.efficient_nets.methods import DENSE, NamedMethod
from scaleflow.efficient_nets.networks.dense_prediction import DensePredictionNetwork
from scaleflow.efficient_nets.networks.efficientnet_lite import EfficientNetLiteBackbone
from scaleflow.efficient_nets.networks.named_networks import (
    NAMED_NETWORKS,
    TRANSFORMERS,
    check_task,
    named_network,
    network_settings_of,
    transformer_config,
)
from scaleflow.efficient_nets.networks.resnet import ResNetBackbone
from scaleflow.efficient_nets.networks.vision_transformer import check_grid
from scaleflow.efficient_nets.tasks.detection_output import detection_channels
from scaleflow.efficient_nets.tasks.label_maps import VOID
from scaleflow.efficient_nets.tensor_file import misfit, read_tensors, write_tensors
from scaleflow.efficient_nets.video_network import VideoNetwork
from scaleflow.errors import DataError, UsageError

logger = logging.getLogger(__name__)

FORMAT = "scaleflow-network-1"

RUN_WEIGHTS = "network.safetensors"
"""In the folder of a run."""

NETWORK_NAMES = ("resnet", "efficientnet-lite0", *NAMED_NETWORKS)


@dataclass(frozen=True)
class Architecture:
    """Which network.

    Attributes:
        name: ``resnet`` (plain 3x3 convolutions), ``efficientnet-lite0`` (depthwise ones), or another of
            :data:`NETWORK_NAMES`.
        width: channels of the first stage of ``resnet`` and of ``unet``.
        blocks: of the four stages of ``resnet``.
        decoder: channels of the decoder of ``resnet`` and ``efficientnet-lite0``.
        patch: side of the patches of a transformer; 0 for the usual one of the task.
        skipped: first and last block that skip attention, counted from 0, of names that end with ``-skipat``.
    """

    name: str = "resnet"
    width: int = 48
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)
    decoder: int = 64
    patch: int = 0
    skipped: tuple[int, int] = (3, 8)

    def __post_init__(self) -> None:
        if self.name not in NETWORK_NAMES:
            raise UsageError(f"network.name = {self.name!r} is unknown: use {', '.join(NETWORK_NAMES)}")
        for name, values in (("width", (self.width,)), ("blocks", self.blocks), ("decoder", (self.decoder,))):
            if min(values) < 1:
                raise UsageError(f"network.{name} = {getattr(self, name)} must be 1 or more")
        if self.patch < 0:
            raise UsageError(f"network.patch = {self.patch} must be 1 or more, or 0 for the usual one of the task")
        if self.name in TRANSFORMERS:
            transformer_config(self.name, "", self.patch, self.skipped)

    @property
    def text(self) -> str:
        """Name, and the settings that this network has."""
        values = [f"{name}={value}" for name in network_settings_of(self.name) if (value := getattr(self, name))]
        return " ".join([self.name, *values]).replace(", ", ",")

    def size_step(self, task: str) -> int:
        """What the sides of pictures must be multiples of, for a network that does ``task``."""
        return transformer_config(self.name, task, self.patch, self.skipped).patch if self.name in TRANSFORMERS else 1

    def check_size(self, task: str, size: tuple[int, int], name: str) -> None:
        """Raises :class:`UsageError` where pictures of a size (width, height), called ``name``, do not fit."""
        check_grid(size, self.size_step(task), f"{name}: pictures")


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
        choices: of the candidates that delta distillation searched.
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
    choices: Mapping[str, Candidate] = field(default_factory=dict)
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
        if self.choices:
            finalize(video, self.choices)
        try:
            video.load_state_dict(self.tensors)
        except RuntimeError as error:
            said = str(error).splitlines()[-1].strip()
            raise DataError(f"the weights do not fit {method}: {said}") from error
        return video

    @property
    def task_classes(self) -> tuple[str, ...]:
        """What :func:`scaleflow.efficient_nets.tasks.names.make_task` is to be told."""
        return self.classes if self.task == "segmentation" else ()


def weights_of_run(run: Path) -> Path:
    """The weights in a run's folder, or the file itself.

    Raises:
        UsageError: there are none.
    """
    path = run / RUN_WEIGHTS if run.is_dir() else run
    if not path.is_file():
        raise UsageError(f"{path}: there is no such weights file: scaleflow nets train writes it when it is done")
    return path


def output_channels(task: str, classes: int) -> int:
    """Of a network for a task with so many classes."""
    return detection_channels(classes) if task == "detection" else classes


def build_network(architecture: Architecture, outputs: int, task: str = "segmentation") -> nn.Module:
    """With weights drawn by chance.

    Raises:
        UsageError: the network is not for the task.
    """
    check_task(architecture.name, task)
    if architecture.name in NAMED_NETWORKS:
        of_names = {"width": architecture.width, "patch": architecture.patch}
        return named_network(architecture.name, task, outputs, **of_names, skipped=architecture.skipped)
    return DensePredictionNetwork(build_backbone(architecture), outputs, architecture.decoder)


def build_backbone(architecture: Architecture) -> ResNetBackbone | EfficientNetLiteBackbone:
    """With weights drawn by chance.

    Raises:
        UsageError: the network is no backbone with something behind it.
    """
    if architecture.name in NAMED_NETWORKS:
        raise UsageError(f"network.name = {architecture.name} is no backbone: use resnet or efficientnet-lite0")
    if architecture.name == "resnet":
        return ResNetBackbone(architecture.width, architecture.blocks)
    return EfficientNetLiteBackbone()


def write_network(path: Path, trained: TaskNetwork) -> None:
    """As safetensors, whole or not at all; replaces a file that is there.

    Raises:
        DataError: it cannot be written.
    """
    state = trained.tensors or trained.network.state_dict()
    metadata = {
        "task": trained.task,
        "classes": json.dumps(trained.classes),
        "architecture": json.dumps(asdict(trained.architecture)),
        "size": json.dumps(trained.size),
        "void": str(trained.void),
        "noise": str(trained.noise),
        "objects": json.dumps(trained.objects),
        "method": json.dumps({"name": trained.method.name, "settings": dict(trained.method.settings)}),
        "choices": json.dumps(dict(trained.choices)),
    }
    write_tensors(path, FORMAT, state, metadata)


def architecture_of(text: str) -> Architecture:
    """From its JSON in a file. Raises ValueError, TypeError or UsageError where it is none."""
    values: dict[str, Any] = json.loads(text)
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Architecture(**values | lists)


def read_network(path: Path) -> TaskNetwork:
    """Read what :func:`write_network` wrote.

    Raises:
        DataError: it is damaged, or holds something else.
    """
    tensors, metadata = read_tensors(path, FORMAT, "network of scaleflow nets train")
    try:
        architecture = architecture_of(metadata["architecture"])
        classes = tuple(json.loads(metadata["classes"]))
        width, height = json.loads(metadata["size"])
        void, noise = int(metadata.get("void", VOID)), float(metadata.get("noise", 0))
        objects = tuple(json.loads(metadata.get("objects", "[]")))
        task = metadata["task"]
        network = build_network(architecture, output_channels(task, len(classes)), task)
        method = NamedMethod(**json.loads(metadata.get("method", "{}")))
        choices = json.loads(metadata.get("choices", "{}"))
        if method.name == DENSE:
            network.load_state_dict(tensors)
            tensors = {}
    except (ValueError, TypeError, KeyError, RuntimeError, UsageError) as error:
        raise misfit(path, error) from error
    return TaskNetwork(
        metadata["task"],
        classes,
        architecture,
        (width, height),
        network.eval(),
        void,
        method,
        choices,
        tensors,
        noise,
        objects,
    )


def load_backbone(network: nn.Module, start: str) -> None:
    """Give a network what it starts from.

    Args:
        start: ``random`` leaves it as it is; ``imagenet`` for EfficientNet-Lite0's backbone; a run's folder or a
            file that ``scaleflow nets train`` wrote, all of it, but for the last layer where that has other outputs;
            or torchvision's ``.pth`` of a ResNet, the backbone.

    Raises:
        UsageError: there is no such file, or no such weights.
        DataError: it does not fit.
    """
    path = weights_of_run(Path(start)) if Path(start).is_dir() else Path(start)
    if path.suffix == ".safetensors":
        _load(network, _with_own_outputs(network, _dense_weights(path), path), path)
    else:
        load_backbone_alone(getattr(network, "backbone", None), start)


def load_backbone_alone(backbone: nn.Module | None, start: str) -> None:
    """The same for a backbone that has something else behind it; of a run's weights it takes the backbone's."""
    if start == "random":
        return
    if start == "imagenet":
        if not isinstance(backbone, EfficientNetLiteBackbone):
            raise UsageError("network.start = imagenet: only efficientnet-lite0 has such weights; use random or a file")
        backbone.load_imagenet()
        return
    path = weights_of_run(Path(start)) if Path(start).is_dir() else Path(start)
    if path.suffix == ".safetensors":
        prefix = "backbone."
        whole = _dense_weights(path)
        given = {name.removeprefix(prefix): tensor for name, tensor in whole.items() if name.startswith(prefix)}
    else:
        given = _torchvision_weights(path)
        if not isinstance(backbone, ResNetBackbone):
            raise UsageError(f"{path}: torchvision's weights are for the backbone of resnet; use random or a run")
    assert backbone is not None
    _load(backbone, given, path)


def _dense_weights(path: Path) -> dict[str, Tensor]:
    trained = read_network(path)
    if trained.method.name != DENSE:
        raise UsageError(f"{path}: was trained for {trained.method.name}; start from a dense network")
    return dict(trained.network.state_dict())


def _with_own_outputs(network: nn.Module, given: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Weights with the last layer's replaced by the network's own, if they are of another number of outputs."""
    own = network.state_dict()
    last = next(reversed(own)).rpartition(".")[0]
    misfits = {name.rpartition(".")[0] for name in given if name in own and own[name].shape != given[name].shape}
    if misfits != {last}:
        return given
    logger.info("%s: has other outputs; its last layer, %s, is not taken", path, last)
    return given | {name: tensor for name, tensor in own.items() if name.rpartition(".")[0] == last}


def _load(place: nn.Module, given: Mapping[str, Tensor], path: Path) -> None:
    try:
        place.load_state_dict(given)
    except RuntimeError as error:
        raise DataError(
            f"{path}: does not fit the network as configured: {str(error).splitlines()[-1].strip()}"
        ) from error


def _torchvision_weights(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise UsageError(f"network.start = {path}: there is no such file; use random, imagenet or a weights file")
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor for name, tensor in values.items() if not name.startswith("fc.")}
    except Exception as error:  # whatever a file that is no checkpoint makes torch raise
        raise DataError(f"{path}: holds no weights that torch reads safely") from error
