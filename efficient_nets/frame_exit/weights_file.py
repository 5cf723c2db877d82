"""Networks for action recognition, with gates for several strictnesses, in files that say what they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import nn

from scaleflow.efficient_nets.frame_exit.network import FrameExit, FrameExitConfig, make_gates
from scaleflow.efficient_nets.frame_exit.pooled_backbone import PooledBackbone
from scaleflow.efficient_nets.networks.architecture import Architecture, architecture_of
from scaleflow.efficient_nets.networks.building import build_backbone
from scaleflow.efficient_nets.tensor_file import misfit, read_tensors, write_tensors
from scaleflow.errors import UsageError

FORMAT = "scaleflow-action-1"


class GatedNetwork(nn.Module):
    """A FrameExit network, and further sets of gates for other strictnesses.

    Gates change nothing but where a video is left, so one network serves several sets, all trained at once.

    Attributes:
        network: its own gates are those of the first strictness.
        strictnesses: of the sets.
    """

    def __init__(self, architecture: Architecture, config: FrameExitConfig, strictnesses: Sequence[float] = ()) -> None:
        """With weights drawn by chance; ``config.strictness`` comes first, and once."""
        super().__init__()
        backbone = PooledBackbone(build_backbone(architecture))
        self.network = FrameExit(backbone, backbone.channels, config)
        others = [value for value in dict.fromkeys(strictnesses) if value != config.strictness]
        self.strictnesses = (config.strictness, *others)
        self.further = nn.ModuleList([make_gates(config) for _ in others])

    def gates_for(self, strictness: float) -> nn.ModuleList:
        """The set that was taught by it. Raises :class:`UsageError` where there is none."""
        if strictness not in self.strictnesses:
            known = ", ".join(f"{value:g}" for value in self.strictnesses)
            raise UsageError(f"strictness = {strictness:g}: the network has gates for {known}")
        sets = (self.network.gates, *self.further)
        gates = sets[self.strictnesses.index(strictness)]
        assert isinstance(gates, nn.ModuleList)
        return gates


@dataclass(frozen=True)
class ActionNetwork:
    """A network and what it was made for.

    Attributes:
        classes: of the videos.
        architecture: of the backbone.
        config: behind the backbone.
        size: (width, height) of the pictures that it was trained on.
        gated: the network, in eval mode.
    """

    classes: tuple[str, ...]
    architecture: Architecture
    config: FrameExitConfig
    size: tuple[int, int]
    gated: GatedNetwork


def is_action_network(path: Path) -> bool:
    """Whether a file holds one; False for whatever else it holds."""
    try:
        with safe_open(path, "pt") as file:
            return (file.metadata() or {}).get("format") == FORMAT
    except (SafetensorError, OSError):
        return False


def write_action_network(path: Path, trained: ActionNetwork) -> None:
    """As safetensors, whole or not at all; replaces a file that is there.

    Raises:
        DataError: it cannot be written.
    """
    metadata = {
        "classes": json.dumps(trained.classes),
        "architecture": json.dumps(asdict(trained.architecture)),
        "config": json.dumps(asdict(trained.config)),
        "strictnesses": json.dumps(trained.gated.strictnesses),
        "size": json.dumps(trained.size),
    }
    write_tensors(path, FORMAT, trained.gated.state_dict(), metadata)


def read_action_network(path: Path) -> ActionNetwork:
    """Read what :func:`write_action_network` wrote.

    Raises:
        DataError: it is damaged, or holds something else.
    """
    tensors, metadata = read_tensors(path, FORMAT, "network of scaleflow nets train action")
    try:
        architecture = architecture_of(metadata["architecture"])
        config = FrameExitConfig(**json.loads(metadata["config"]))
        gated = GatedNetwork(architecture, config, json.loads(metadata["strictnesses"]))
        gated.load_state_dict(tensors)
        width, height = json.loads(metadata["size"])
        classes = tuple(json.loads(metadata["classes"]))
    except (ValueError, TypeError, KeyError, RuntimeError, UsageError) as error:
        raise misfit(path, error) from error
    return ActionNetwork(classes, architecture, config, (width, height), gated.eval())
