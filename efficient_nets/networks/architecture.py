"""Which network: its name and settings, checked, and what follows from them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from scaleflow.efficient_nets.networks.description import NetworkDescription
from scaleflow.efficient_nets.networks.known_networks import NETWORKS
from scaleflow.efficient_nets.networks.settings import NetworkSettings
from scaleflow.efficient_nets.networks.vision_transformer import check_grid
from scaleflow.efficient_nets.tasks.known_tasks import TASKS


@dataclass(frozen=True)
class Architecture(NetworkSettings):
    """One of :data:`~scaleflow.efficient_nets.networks.known_networks.NETWORKS` with its settings; see
    :class:`NetworkSettings`."""

    def __post_init__(self) -> None:
        description = self.description
        super().__post_init__()
        description.check(self)

    @property
    def description(self) -> NetworkDescription:
        """What the network says of itself. Raises :class:`UsageError` where there is none of that name."""
        return NETWORKS[self.name]

    @property
    def text(self) -> str:
        """Name, and the settings that this network has."""
        values = [f"{name}={value}" for name in self.description.settings if (value := getattr(self, name))]
        return " ".join([self.name, *values]).replace(", ", ",")

    def size_step(self, task: str) -> int:
        """What the sides of pictures must be multiples of, for a network that does ``task``."""
        return self.description.size_step(self, TASKS[task].gives)

    def check_size(self, task: str, size: tuple[int, int], name: str) -> None:
        """Raises :class:`UsageError` where pictures of a size (width, height), called ``name``, do not fit."""
        check_grid(size, self.size_step(task), f"{name}: pictures", (name,))


def architecture_of(text: str) -> Architecture:
    """From its JSON in a file. Raises ValueError, TypeError or UsageError where it is none."""
    values: dict[str, Any] = json.loads(text)
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Architecture(**values | lists)
