"""Descriptions of one kind, by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from scaleflow.errors import UsageError


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str:
        """As people type it."""


Description = TypeVar("Description", bound=Named)


class Registry(Generic[Description]):
    """Descriptions in the order in which they were given, which is that of messages."""

    def __init__(self, what: str, descriptions: Iterable[Description]) -> None:
        """``what`` is the word for one of them, which messages put before a name, as in ``method 'x' is unknown``.

        Raises:
            ValueError: two have the same name.
        """
        self._what = what
        self._found: dict[str, Description] = {}
        for description in descriptions:
            if description.name in self._found:
                raise ValueError(f"{what} {description.name!r} is there twice")
            self._found[description.name] = description

    def __getitem__(self, name: str) -> Description:
        """Raises :class:`UsageError`, which lists the names, where there is none of that name."""
        if name not in self._found:
            raise UsageError(f"{self._what} {name!r} is unknown: use {', '.join(self._found)}")
        return self._found[name]

    def __contains__(self, name: str) -> bool:
        """Whether there is one of that name."""
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._found)
