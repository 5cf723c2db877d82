"""What docs/json-output.md says of the JSON lines of each verb, and whether a line is as it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.places import REPOSITORY

PAGE = REPOSITORY / "docs" / "json-output.md"
COLUMNS = ["field", "type", "unit", "meaning", "present"]
ONE_KIND = ""
"""Stands for the event of verbs whose lines are all alike."""

TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "text": (str,),
    "boolean": (bool,),
    "object": (dict,),
    "any": (bool, int, float, str, list),
}


@dataclass(frozen=True)
class Field:
    """A row of a table."""

    path: str
    type: str
    present: str

    @property
    def parent(self) -> str:
        """The object that it is in, empty for the line itself."""
        return self.path.rpartition(".")[0]

    def takes(self, value: object) -> bool:
        """Whether a value is of the type."""
        kind = self.type.removesuffix(" or null")
        if value is None:
            return self.type != kind
        if kind.startswith("list of "):
            # a plane, a picture without a value
            item = Field(self.path, kind.removeprefix("list of ") + self.type[len(kind) :], self.present)
            return isinstance(value, list) and all(item.takes(part) for part in value)
        return isinstance(value, TYPES[kind]) and (not isinstance(value, bool) or kind in ("boolean", "any"))


@cache
def documented() -> dict[str, dict[str, list[Field]]]:
    """Fields by verb and event."""
    found: dict[str, dict[str, list[Field]]] = {}
    verb, event = "", ONE_KIND
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            verb, event = line.removeprefix("## scaleflow "), ONE_KIND
            found[verb] = {}
        elif line.startswith("### "):
            event = line.removeprefix("### ")
        elif line.startswith("|") and not line.startswith("|---"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            assert len(cells) == len(COLUMNS), line
            if cells == COLUMNS:
                found[verb][event] = []
            else:
                assert cells[1].removesuffix(" or null").removeprefix("list of ") in TYPES, line
                found[verb][event].append(Field(cells[0].strip("`"), cells[1], cells[4]))
    return found


def differences(verb: str, line: dict[str, Any]) -> list[str]:
    """What of a line is not as the page says; nothing where all is."""
    events = documented().get(verb, {})
    event = ONE_KIND if set(events) == {ONE_KIND} else str(line.get("event"))
    if event not in events:
        return [f"{verb}: event {event!r} is not documented"]
    return [f"{verb} {event}".strip() + f": {problem}" for problem in _of_object(line, "", events[event])]


def _of_object(values: dict[str, Any], place: str, fields: list[Field]) -> Iterator[str]:
    here = {field.path.rpartition(".")[2]: field for field in fields if field.parent == place}
    for name, field in here.items():
        if field.present == "always" and name != "*" and name not in values:
            yield f"{field.path} is missing"
    for name, value in values.items():
        found = here.get(name, here.get("*"))
        if found is None:
            yield f"{place}.{name}".lstrip(".") + " is not documented"
        elif not found.takes(value):
            yield f"{found.path} is {value!r}, no {found.type}"
        else:
            yield from _within(value, found.path, fields)


def _within(value: object, path: str, fields: list[Field]) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _of_object(value, path, fields)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield from _of_object(item, f"{path}[]", fields)


def verb_of(arguments: list[str]) -> str | None:
    """The verb that a command line starts with, where its lines are documented."""
    return next((verb for verb in documented() if arguments[: len(verb.split())] == verb.split()), None)
