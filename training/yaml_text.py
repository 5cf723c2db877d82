"""Reads YAML that anyone may have written: what it expands to is bounded before anything is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from scaleflow.errors import UsageError

LARGEST_FILE = 1 << 20
MOST_VALUES = 100_000
"""Keys and values that a text may stand for, those of aliases counted as often as they are named."""

DEEPEST = 40


def read_yaml_file(path: Path) -> Any:
    """What a YAML file holds. Raises :class:`UsageError` where it cannot be read, and as :func:`parse_yaml`."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > LARGEST_FILE:
        raise UsageError(f"{path}: is larger than {LARGEST_FILE >> 20} MiB, which no configuration is")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is no YAML: {error}") from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, source: str) -> Any:
    """What a YAML text holds; ``source`` names it in messages.

    Raises:
        UsageError: it is no YAML, or stands for more than :data:`MOST_VALUES` values or for itself.
    """
    try:
        loader = _BoundedLoader(text)
        loader.name = source
        return loader.get_single_data()
    except _Excess as error:
        raise UsageError(f"{source}: {error}") from error
    except RecursionError as error:
        raise UsageError(f"{source}: is nested more than {DEEPEST} deep") from error
    # Constructors of numbers and dates raise what int, float and date do.
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise UsageError(f"{source}: is no YAML: {said[0]}") from error


class _Excess(Exception):
    """More than a configuration can mean."""


class _BoundedLoader(yaml.SafeLoader):
    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            _count(node, {}, 0)
        return node


def _count(node: yaml.Node, counted: dict[yaml.Node, int | None], depth: int) -> int:
    """Values below a node, itself included; ``counted`` holds those that are known, None of those being counted."""
    if node in counted:
        known = counted[node]
        if known is None:
            raise _Excess("an alias stands for what it lies in")
        return known
    if depth > DEEPEST:
        raise _Excess(f"is nested more than {DEEPEST} deep")
    counted[node] = None
    parts: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        parts = node.value
    elif isinstance(node, yaml.MappingNode):
        parts = [part for pair in node.value for part in pair]
    total = 1
    for part in parts:
        total += _count(part, counted, depth + 1)
        if total > MOST_VALUES:
            raise _Excess(f"stands for more than {MOST_VALUES} values: aliases name each other too often")
    counted[node] = total
    return total
