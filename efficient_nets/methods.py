"""Methods by name, with their settings as people type them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.conversion import VideoMethod, accelerate
from scaleflow.efficient_nets.delta_distillation.method import DeltaDistillation
from scaleflow.efficient_nets.residual_quantization.calibration import calibrate
from scaleflow.efficient_nets.residual_quantization.method import ResidualQuantization
from scaleflow.efficient_nets.salisa.method import Salisa
from scaleflow.efficient_nets.skip_convolutions.codec_gates import CodecGates
from scaleflow.efficient_nets.skip_convolutions.method import SkipConv
from scaleflow.efficient_nets.video_network import VideoNetwork
from scaleflow.errors import UsageError

DENSE = "dense"

METHODS: Mapping[str, type[Any]] = {
    "skip-conv": SkipConv,
    "codec-gates": CodecGates,
    "delta-distillation": DeltaDistillation,
    "residual-quantization": ResidualQuantization,
    "salisa": Salisa,
}
"""Settings by the name of the method; :func:`accelerate` takes those that are not of :data:`SAMPLING`."""

SAMPLING = ("salisa",)
"""Methods that choose what a network is shown, and leave its layers as they are."""

STARTS: Mapping[str, Mapping[str, Any]] = {
    "skip-conv": {"threshold": 0},
    "delta-distillation": {"key_interval": 3},
    "residual-quantization": {"key_interval": 4},
}
"""Settings without which a method is of no use, and what is taken where they are not given."""

KEEP_ENDS = ("delta-distillation",)
"""Methods that leave out a network's ``ends``, where it names its first and last layers, unless told otherwise."""

OF_ACCELERATE = ("key_interval", "exclude")
"""Settings that every method has but those of :data:`SAMPLING`."""

SEVERAL = re.compile(r",(?![^\[]*\])")
"""Commas outside of brackets."""


@dataclass(frozen=True)
class NamedMethod:
    """A method and its settings.

    Attributes:
        name: one of :data:`METHODS`, or ``dense``.
        settings: those that were given, and :data:`STARTS`.
    """

    name: str = DENSE
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name != DENSE and self.name not in METHODS:
            raise UsageError(f"method {self.name!r} is unknown: use {', '.join((DENSE, *METHODS))}")
        known = self.known_settings()
        for name in self.settings:
            if name not in known:
                raise UsageError(f"{self.name} has no setting {name!r}: there are {', '.join(known) or 'none'}")
        if self.name != DENSE:
            object.__setattr__(self, "settings", {**STARTS.get(self.name, {}), **self.settings})
            self._method()

    def known_settings(self) -> tuple[str, ...]:
        """Names that ``settings`` may have."""
        if self.name == DENSE:
            return ()
        own = tuple(field.name for field in fields(METHODS[self.name]))
        return own if self.name in SAMPLING else (*own, *OF_ACCELERATE)

    def apply(self, network: nn.Module) -> VideoNetwork:
        """``network`` as a network for video; it stays as it is. Dense, nothing is converted but batch norms.

        Raises:
            UsageError: a setting does not fit the network.
        """
        if self.name in SAMPLING:
            raise UsageError(
                f"{self.name} changes what a detector is shown, not its layers: it goes with detection only"
            )
        method = _KeepDense() if self.name == DENSE else self._method()
        ends = getattr(network, "ends", ()) if self.name in KEEP_ENDS else ()
        try:
            return accelerate(
                network,
                method,
                key_interval=self.settings.get("key_interval"),
                exclude=self.settings.get("exclude", ends),
            ).to(memory_format=torch.channels_last)
        except ValueError as error:
            raise UsageError(f"{self.name}: {error}") from error

    @property
    def needs_calibration(self) -> bool:
        """Weights alone do not make a network that runs; see :meth:`calibrate`."""
        return self.name == "residual-quantization"

    def calibrate(self, network: VideoNetwork, *videos: Iterable[Tensor]) -> None:
        """Take from frames (1, 3, H, W) of videos what the method has to know of them, where it has to.

        Raises:
            UsageError: there are too few frames.
        """
        if self.needs_calibration:
            calibrate(network, *videos)

    @property
    def salisa(self) -> Salisa | None:
        """The settings of that method; None of others."""
        return Salisa(**self.settings) if self.name == "salisa" else None

    @property
    def codec_gates(self) -> CodecGates | None:
        """The settings of that method; None of others."""
        return CodecGates(**self.settings_of_its_own) if self.name == "codec-gates" else None

    @property
    def settings_of_its_own(self) -> dict[str, Any]:
        """All but those of :data:`OF_ACCELERATE`."""
        return {name: _as_tuple(value) for name, value in self.settings.items() if name not in OF_ACCELERATE}

    def changed(self, settings: Mapping[str, Any]) -> NamedMethod:
        """The same method with some settings replaced."""
        return NamedMethod(self.name, {**self.settings, **settings})

    def __str__(self) -> str:
        shown = [f"{name}={_shown(value)}" for name, value in self.settings.items()]
        return " ".join((self.name, *shown))

    def _method(self) -> VideoMethod:
        try:
            method: VideoMethod = METHODS[self.name](**self.settings_of_its_own)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{self.name}: {error}") from error
        return method


def parse_settings(words: Sequence[str]) -> list[dict[str, Any]]:
    """``threshold=0,0.1 block=8`` as ``{threshold: 0, block: 8}`` and ``{threshold: 0.1, block: 8}``.

    Values are numbers, words, or lists in brackets such as ``bits=[0,4,8]``.

    Raises:
        UsageError: a word is no setting, or one is given twice.
    """
    columns: dict[str, list[Any]] = {}
    for word in words:
        name, separator, text = word.partition("=")
        if not separator or not name or not text:
            raise UsageError(f"{word!r}: expected setting=value, or setting=value,value,value")
        if name in columns:
            raise UsageError(f"{word!r}: {name} is given twice: put commas between its values")
        columns[name] = [_value(part) for part in SEVERAL.split(text)]
    return [dict(zip(columns, values, strict=True)) for values in product(*columns.values())]


class _KeepDense:
    """Implements :class:`scaleflow.efficient_nets.conversion.VideoMethod`: costs are counted, and nothing is saved."""

    def convolution(self, dense: nn.Conv2d) -> None:
        """Nothing takes its place."""


def _value(text: str) -> Any:
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return [_value(part) for part in text[1:-1].split(",")]
    if text.lower() in ("true", "false", "none"):
        return {"true": True, "false": False, "none": None}[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(part) for part in value) if isinstance(value, list) else value


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_shown, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
