"""What networks start from: weights of other runs, of other projects, or none."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from scaleflow.efficient_nets.methods.known_methods import DENSE
from scaleflow.efficient_nets.networks.efficientnet_lite import EfficientNetLiteBackbone
from scaleflow.efficient_nets.networks.resnet import ResNetBackbone
from scaleflow.efficient_nets.networks.weights_file import read_network, weights_of_run
from scaleflow.errors import DataError, UsageError
from scaleflow.torch_file import read_torch_file

logger = logging.getLogger(__name__)


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
        values = read_torch_file(path)
    except DataError as error:
        raise DataError(f"{path}: holds no weights that torch reads safely") from error
    if not isinstance(values, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in values.items()
    ):
        raise DataError(f"{path}: holds no weights by name")
    return {name: tensor for name, tensor in values.items() if not name.startswith("fc.")}
