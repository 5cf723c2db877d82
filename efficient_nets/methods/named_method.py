"""A method by its name, with its settings as people type them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.methods.description import MethodDescription
from scaleflow.efficient_nets.methods.known_methods import DENSE, METHODS
from scaleflow.efficient_nets.methods.settings_text import as_tuple, shown_value
from scaleflow.efficient_nets.skip_convolutions.decoded_change import DecodedChange
from scaleflow.efficient_nets.video.conversion import accelerate
from scaleflow.efficient_nets.video.network import VideoNetwork
from scaleflow.errors import UsageError

Kind = TypeVar("Kind")


def known_settings(name: str) -> tuple[str, ...]:
    """Names that the settings of a method may have. Raises :class:`UsageError` where there is no such method."""
    description = METHODS[name]
    return (*(field.name for field in fields(description.settings)), *description.of_accelerate)


@dataclass(frozen=True)
class NamedMethod:
    """A method and its settings.

    Attributes:
        name: one of :data:`~scaleflow.efficient_nets.methods.known_methods.METHODS`.
        settings: those that were given, and the method's defaults.
    """

    name: str = DENSE
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = known_settings(self.name)
        for name in self.settings:
            if name not in known:
                raise UsageError(f"{self.name} has no setting {name!r}: there are {', '.join(known) or 'none'}")
        object.__setattr__(self, "settings", {**self.description.defaults, **self.settings})
        self._made()

    @property
    def description(self) -> MethodDescription[Any]:
        """What the method says of itself."""
        return METHODS[self.name]

    def apply(self, network: nn.Module) -> VideoNetwork:
        """``network`` as a network for video; it stays as it is. Dense, nothing is converted but batch norms.

        Raises:
            UsageError: a setting does not fit the network.
        """
        if self.description.resamples is not None:
            raise UsageError(
                f"{self.name} changes what a network is shown, not its layers: it goes with "
                f"{', '.join(self.description.tasks)} only"
            )
        ends = getattr(network, "ends", ()) if self.description.keeps_ends else ()
        try:
            return accelerate(
                network,
                self._made(),
                key_interval=self.settings.get("key_interval"),
                exclude=self.settings.get("exclude", ends),
            ).to(memory_format=torch.channels_last)
        except ValueError as error:
            raise UsageError(f"{self.name}: {error}") from error

    def calibrate(self, network: VideoNetwork, *videos: Iterable[Tensor]) -> None:
        """Take from frames (1, 3, H, W) of videos what the method has to know of them, where it has to.

        Raises:
            UsageError: there are too few frames.
        """
        if self.description.calibrate is not None:
            self.description.calibrate(network, *videos)

    @property
    def shown_size(self) -> tuple[int, int] | None:
        """(width, height) of what the network is shown by methods that resample; None of others."""
        resamples = self.description.resamples
        return None if resamples is None else resamples(self._made())

    @property
    def change_maps(self) -> Callable[[], DecodedChange] | None:
        """Makes maps of changes for a video, of methods that a decoder tells what changed; None of others."""
        maps = self.description.change_maps
        return None if maps is None else partial(maps, self._made())

    def as_settings(self, kind: type[Kind]) -> Kind:
        """The checked settings of the method. Raises TypeError where they are of another kind."""
        made = self._made()
        if not isinstance(made, kind):
            raise TypeError(f"{self.name} has the settings {type(made).__name__}, not {kind.__name__}")
        return made

    @property
    def settings_of_its_own(self) -> dict[str, Any]:
        """All but those of ``accelerate``."""
        own = {name: value for name, value in self.settings.items() if name not in self.description.of_accelerate}
        return {name: as_tuple(value) for name, value in own.items()}

    def changed(self, settings: Mapping[str, Any]) -> NamedMethod:
        """The same method with some settings replaced."""
        return NamedMethod(self.name, {**self.settings, **settings})

    def __str__(self) -> str:
        shown = [f"{name}={shown_value(value)}" for name, value in self.settings.items()]
        return " ".join((self.name, *shown))

    def _made(self) -> Any:
        try:
            return self.description.settings(**self.settings_of_its_own)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{self.name}: {error}") from error
