"""Settings of methods as people type them, and as messages and results show them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from typing import Any

from scaleflow.errors import UsageError

SEVERAL = re.compile(r",(?![^\[]*\])")
"""Commas outside of brackets."""


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


def shown_value(value: Any) -> str:
    """A value as :func:`parse_settings` takes it."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(shown_value, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def as_tuple(value: Any) -> Any:
    """Lists, and lists within them, as tuples."""
    return tuple(as_tuple(part) for part in value) if isinstance(value, list) else value


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
