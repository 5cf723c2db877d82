"""What a method says of itself to those that train and measure with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

from torch import Tensor

from scaleflow.efficient_nets.skip_convolutions.decoded_change import DecodedChange
from scaleflow.efficient_nets.video.network import VideoNetwork

LossWeight = Literal["weight", "distillation"]
"""Which number of the configuration of training a loss is multiplied by."""

Settings = TypeVar("Settings")


class Calibrate(Protocol):
    """Takes from the frames (1, 3, H, W) of one video or several what a network has to know of them."""

    def __call__(self, network: VideoNetwork, *videos: Any) -> None:
        """Raises :class:`UsageError` where there are too few frames."""


class TakeForm(Protocol):
    """Ends a search: keeps of each layer what it chose, or what ``choices`` names, and says what that is."""

    def __call__(self, network: VideoNetwork, choices: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Raises :class:`UsageError` where ``choices`` do not fit the network."""


@dataclass(frozen=True)
class MethodLoss:
    """A loss of a method's own, beside that of the task.

    Attributes:
        name: as it is logged.
        weight: what it is multiplied by.
        value: of the last clip; None where the network has nothing to say.
    """

    name: str
    weight: LossWeight
    value: Callable[[VideoNetwork], Tensor | None]


@dataclass(frozen=True)
class MethodDescription(Generic[Settings]):
    """A method.

    Attributes:
        name: as people type it.
        settings: dataclass of its settings, which checks them; it is what
            :func:`~scaleflow.efficient_nets.video.conversion.accelerate` takes, unless the method ``resamples``.
        defaults: settings without which the method is of no use, and what is taken where they are not given.
        of_accelerate: those of ``accelerate`` that may stand among its settings.
        keeps_ends: leaves out a network's ``ends``, where it names its first and last layers, unless told otherwise.
        resamples: chooses what a network is shown and leaves its layers as they are; gives the size (width, height) of
            what is shown. None of methods that change layers.
        tasks: those that it goes with; all where empty.
        trains: there is something to train.
        added: parts of the dotted names of parameters that the method adds, which learn at the plain rate.
        losses: in the order in which they are added up.
        calibrate: what has to be done before a network runs that was not trained for the method; None for nothing.
        take_form: of methods that search among candidates.
        change_maps: of methods that are told by a decoder what changed: what makes maps for a video, from its first
            picture on.
    """

    name: str
    settings: type[Settings]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    of_accelerate: tuple[str, ...] = ("key_interval", "exclude")
    keeps_ends: bool = False
    resamples: Callable[[Settings], tuple[int, int]] | None = None
    tasks: tuple[str, ...] = ()
    trains: bool = True
    added: frozenset[str] = frozenset()
    losses: tuple[MethodLoss, ...] = ()
    calibrate: Calibrate | None = None
    take_form: TakeForm | None = None
    change_maps: Callable[[Settings], DecodedChange] | None = None

    def adds(self, parameter: str) -> bool:
        """Whether the parameter of that dotted name is one that the method adds."""
        return not self.added.isdisjoint(parameter.split("."))
