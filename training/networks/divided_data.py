"""Labelled data in two parts: what is trained on, and what is validated on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from scaleflow.efficient_nets.data.cityscapes import PICTURES_FOLDER
from scaleflow.errors import DataError, UsageError
from scaleflow.training.networks.configuration import NetworkDataConfig

Data = TypeVar("Data", bound="DividedData")


class DividedData(Protocol):
    """Data that can be opened in parts and taken apart by name."""

    @property
    def place(self) -> str:
        """What messages call it."""

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of their numbers."""

    def chosen(self: Data, patterns: Sequence[str]) -> Data:
        """What matches one of the patterns. Raises :class:`UsageError` where one matches nothing."""

    def without(self: Data, patterns: Sequence[str]) -> Data:
        """What matches none of them. Raises :class:`UsageError` where nothing is left."""


def open_divided(config: NetworkDataConfig, open_part: Callable[[Path, str], Data]) -> tuple[Data, Data | None]:
    """What is trained on, and what is validated on, if there is anything.

    Args:
        open_part: opens what a folder has as its part ``train`` or ``val``.

    Raises:
        UsageError: a folder is not there, or has another layout.
        DataError: it is empty, or both do not have the same classes.
    """
    if not config.path:
        raise UsageError("data.path is empty: name the folder of the data", fields=("data.path",))
    path = Path(config.path)
    training = open_part(path, "train")
    if config.hold_out:
        return training.without(config.hold_out), training.chosen(config.hold_out)
    if config.validation:
        validation = open_part(Path(config.validation), "val")
    elif _has_parts(path):
        validation = open_part(path, "val")
    else:
        return training, None
    if validation.classes != training.classes:
        raise DataError(f"{validation.place}: has other classes than {training.place}")
    return training, validation


def _has_parts(path: Path) -> bool:
    """Whether data is in parts for training and validation, as CamVid's or Cityscapes'."""
    places = path, path / PICTURES_FOLDER
    return any((place / "val").is_dir() and (place / "train").is_dir() for place in places)
