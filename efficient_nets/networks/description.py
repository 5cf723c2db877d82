"""What a network says of itself to those that build, train and measure it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from torch import nn

from scaleflow.efficient_nets.networks.efficientnet_lite import EfficientNetLiteBackbone
from scaleflow.efficient_nets.networks.resnet import ResNetBackbone
from scaleflow.efficient_nets.networks.settings import NetworkSettings
from scaleflow.efficient_nets.tasks.description import Gives
from scaleflow.errors import UsageError

AnyBackbone = ResNetBackbone | EfficientNetLiteBackbone

Resolution = Literal["quarter", "full"]


@dataclass(frozen=True)
class NetworkDescription:
    """A network.

    Attributes:
        name: as people type it.
        settings: those of :class:`NetworkSettings` that it has, beside its name.
        build: with weights drawn by chance, for so many output channels and for tasks that give what is named.
        gives_pictures: whether it can do tasks whose outputs are pictures.
        resolution: of its outputs: that of the picture, or a quarter of its lines and columns.
        backbone: what gives features to whatever is put behind it; None where there is no such part.
        size_step: what the sides of pictures must be multiples of, for tasks that give what is named.
        check: raises :class:`UsageError` where settings do not fit together.
    """

    name: str
    settings: tuple[str, ...]
    build: Callable[[NetworkSettings, int, Gives], nn.Module]
    gives_pictures: bool = False
    resolution: Resolution = "quarter"
    backbone: Callable[[NetworkSettings], AnyBackbone] | None = None
    size_step: Callable[[NetworkSettings, Gives], int] = lambda settings, gives: 1
    check: Callable[[NetworkSettings], None] = lambda settings: None

    def check_given(self, settings: Iterable[str]) -> None:
        """Raises :class:`UsageError` where settings were given that the network does not have."""
        for setting in settings:
            if setting not in ("name", "start", *self.settings):
                known = ", ".join(self.settings) or "none"
                raise UsageError(f"network.{setting}: {self.name} has no such setting; it has {known}")
