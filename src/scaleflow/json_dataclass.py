"""Dataclasses from the objects of JSON files that anyone may have written: every value of the type that its field has.
"""

from __future__ import annotations

import types
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from scaleflow import json_values
from scaleflow.errors import DataError

Kind = TypeVar("Kind")

LARGEST_INT = 1 << 53
"""Of counts: beyond, programs that hold numbers in float64 disagree about them."""

LARGEST_FLOAT = 1e18


def read_dataclass(kind: type[Kind], value: object, place: str) -> Kind:
    """An instance of a dataclass, and of those within it.

    Texts are as :func:`scaleflow.json_values.text` has them and numbers are finite; ranges are the caller's to check.

    Args:
        kind: its fields are texts, booleans, numbers, other dataclasses, and lists, tuples and dictionaries of these,
            or None where the type says so.
        value: as ``json`` read it.
        place: where it stands, for messages.

    Raises:
        DataError: a field is missing, unknown, or of another type; it says which and where.
    """
    return kind(**read_fields(kind, value, place))


def read_fields(kind: type[Any], value: object, place: str) -> dict[str, Any]:
    """The arguments to make a dataclass of, for callers that add to them. Raises as :func:`read_dataclass`."""
    values = json_values.record(value, place)
    types_of, known = get_type_hints(kind), {item.name: item for item in fields(kind) if item.init}
    for name in values:
        if name not in known:
            raise DataError(f"{place}: {json_values.text(name, place)!r} is not known here")
    found = {}
    for name, item in known.items():
        if name in values:
            found[name] = _read(types_of[name], values[name], f"{place}.{name}")
        elif item.default is MISSING and item.default_factory is MISSING:
            raise DataError(f"{place}: has no {name!r}")
    return found


def _read(kind: Any, value: object, place: str) -> Any:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in parts:
            return None
        (kind,) = (part for part in parts if part is not type(None))
        return _read(kind, value, place)
    if is_dataclass(kind) and isinstance(kind, type):
        return read_dataclass(kind, value, place)
    if kind is str:
        return json_values.text(value, place)
    if kind is bool:
        if not isinstance(value, bool):
            raise DataError(f"{place}: expected true or false")
        return value
    if kind is int:
        return json_values.whole_number(value, place, -LARGEST_INT, LARGEST_INT)
    if kind is float:
        return json_values.number(value, place, -LARGEST_FLOAT, LARGEST_FLOAT)
    if origin is dict:
        values = json_values.record(value, place)
        return {json_values.text(key, place): _read(parts[1], part, f"{place}.{key}") for key, part in values.items()}
    if origin is list or (origin is tuple and parts[-1] is Ellipsis):
        return origin(_read(parts[0], part, f"{place}[{number}]") for number, part in enumerate(_list(value, place)))
    if origin is tuple:
        items = _list(value, place)
        if len(items) != len(parts):
            raise DataError(f"{place}: expected {len(parts)} values, not {len(items)}")
        return tuple(_read(part, item, f"{place}[{n}]") for n, (part, item) in enumerate(zip(parts, items, strict=True)))
    raise TypeError(f"{place}: a field of type {kind} is not one that is read of JSON")


def _list(value: object, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise DataError(f"{place}: expected a list")
    return value
