"""Training configurations from YAML files and presets, changed by ``key.key=value``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from scaleflow.errors import UsageError
from scaleflow.json_values import is_plain_text
from scaleflow.training.yaml_text import parse_yaml, read_yaml_file

Config = TypeVar("Config")


def checked_configuration(kind: type[Config], values: Mapping[str, Any], source: str) -> Config:
    """Make a dataclass and those within it from nested dictionaries.

    Raises:
        UsageError: an unknown key, a value of the wrong type, or one that is refused; it names ``source``.
    """
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        raise UsageError(f"{source}: {_first_complaint(error, values, kind)}") from None
    except UsageError as error:  # Of a range, which the configuration itself looks at.
        raise UsageError(f"{source}: {error}", fields=error.fields) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping. Raises :class:`UsageError` otherwise."""
    values = read_yaml_file(path)
    if not isinstance(values, dict):
        raise UsageError(f"{path}: holds {type(values).__name__}, expected keys such as data")
    return values


def preset(name: str, names: Sequence[str], package: str) -> dict[str, Any]:
    """The values of a preset, to be changed by :func:`override`; ``package`` holds those that ``names`` lists.

    Raises:
        UsageError: ``name`` is none of ``names``.
    """
    if name not in names:
        raise UsageError(f"preset {name!r} is unknown: use {', '.join(names)}")
    values = yaml.safe_load(files(package).joinpath(f"{name}.yaml").read_text())
    assert isinstance(values, dict)
    return values


def override(values: dict[str, Any], changes: Iterable[str]) -> None:
    """Apply ``key.key=value`` in place; the value is YAML, a stage is named by its name.

    Raises:
        UsageError: a change that is none, or of a stage that is not there.
    """
    for change in changes:
        keys, separator, text = change.partition("=")
        if not separator or not keys:
            raise UsageError(f"{change!r}: expected key=value, such as optimization.clip_norm=0.5")
        value = parse_yaml(text, repr(change))
        if isinstance(value, str):  # YAML 1.1 takes 1e-4 for text
            value = _number(value)
        *path, last = keys.split(".")
        place: Any = values
        for number, key in enumerate(path):
            place = _below(place, key, change, ".".join(path[:number]))
        if not isinstance(place, dict):
            raise UsageError(f"{change!r}: {'.'.join(path)} is a list: name one of its stages before the key")
        place[last] = value


def _number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _below(place: Any, key: str, change: str, where: str) -> Any:
    if isinstance(place, list):
        names = [stage.get("name") for stage in place if isinstance(stage, dict)]
        if key not in names:
            raise UsageError(f"{change!r}: there is no stage {key!r}, only {', '.join(map(str, names))}")
        return place[names.index(key)]
    below = place.setdefault(key, {})
    if not isinstance(below, dict | list):
        raise UsageError(f"{change!r}: {where + '.' if where else ''}{key} is a value and holds no keys")
    return below


def _first_complaint(error: ValidationError, values: Mapping[str, Any], kind: Any) -> str:
    first = error.errors()[0]
    location = list(first["loc"])
    names = [str(_stage_name(values, location[: n + 1]) or part) for n, part in enumerate(location)]
    name = ".".join(part if is_plain_text(part) else repr(part) for part in names)
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        known = _keys_at(location[:-1], kind)
        near = difflib.get_close_matches(str(location[-1]), known, 1)
        return f"{name} is unknown: " + (f"did you mean {near[0]}?" if near else f"use {', '.join(known)}")
    if first["type"] == "missing":
        return f"{name} is missing"
    given = repr(first["input"])
    return f"{name} = {given if len(given) <= 80 else given[:77] + '...'}: {first['msg'].lower()}"


def _stage_name(values: Mapping[str, Any], location: list[Any]) -> str | None:
    if len(location) == 2 and location[0] == "stages" and isinstance(location[1], int):
        stage = values["stages"][location[1]]
        return str(stage.get("name")) if isinstance(stage, dict) and "name" in stage else None
    return None


def _keys_at(location: list[Any], kind: Any) -> list[str]:
    if not location:
        return [f.name for f in fields(kind)]
    if location[0] == "stages":
        return [f.name for f in fields(get_args(get_type_hints(kind)["stages"])[0])]
    part = get_type_hints(kind).get(location[0])
    kinds = [one for one in (part, *get_args(part)) if is_dataclass(one)]
    return [f.name for f in fields(kinds[0])] if kinds else []
