"""The page that goes with the weights of a network."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from scaleflow.efficient_nets.data.action_clips import ActionData
from scaleflow.efficient_nets.data.labelled_frames import LabelledData
from scaleflow.training.networks.configuration import NetworkTrainingConfig


def network_card(
    config: NetworkTrainingConfig, data: LabelledData, network: nn.Module, seconds: float, measures: dict[str, float]
) -> str:
    """Markdown.

    Args:
        config: resolved.
        data: what was trained on.
        network: as it was trained.
        seconds: of all sessions that it took.
        measures: of the validation at the end; empty where there was none.
    """
    videos = "stills" if data.still else f"{len(data.videos())} videos"
    shown = f"{len(data.frames)} labelled pictures ({videos})"
    return _card(config, data.classes, shown, network, seconds, measures)


def action_card(
    config: NetworkTrainingConfig, data: ActionData, network: nn.Module, seconds: float, measures: dict[str, float]
) -> str:
    """The same for action recognition."""
    shown = f"{config.action.frames} frames of each of {len(data.clips)} videos"
    return _card(config, data.classes, shown, network, seconds, measures)


def _card(
    config: NetworkTrainingConfig,
    classes: Sequence[str],
    shown: str,
    network: nn.Module,
    seconds: float,
    measures: dict[str, float],
) -> str:
    parameters = sum(parameter.numel() for parameter in network.parameters())
    lines = [
        f"# Model card: {config.network.name} for {config.task.name}",
        "",
        f"**Network.** `{config.network.name}`, {parameters / 1e6:.2f} million parameters, start: "
        f"{config.network.start}, method: {config.method.name}.",
        "",
        f"**Classes.** {', '.join(classes)}.",
        "",
        f"**Data.** {shown}, brought to "
        f"{config.data.size[0]}x{config.data.size[1]}. The licence of the data holds for the weights as well.",
        "",
        f"**Training.** {config.training.steps} steps of {config.training.batch} in {seconds:.0f} s.",
        "",
    ]
    if measures:
        rows = [f"| {name} | {value:.2f} |" for name, value in measures.items() if math.isfinite(value)]
        lines += ["**Validation.**", "", "| measure | value |", "|---|---|", *rows, ""]
    lines += ["**Configuration.**", "", "```yaml", config.to_yaml().rstrip(), "```", ""]
    return "\n".join(lines)
