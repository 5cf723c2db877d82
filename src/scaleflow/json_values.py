"""Values of JSON files that people or other programs wrote, checked one by one."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn

from scaleflow.errors import DataError, UsageError

LARGEST_NUMBER = 1e9
"""Of any coordinate, time or count."""


def read_json(path: Path) -> Any:
    """What a file holds.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        DataError: it is no JSON, or holds NaN or Infinity, which JSON has not.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_refuse_constant)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is no JSON: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def record(value: object, place: str) -> dict[str, Any]:
    """An object. ``place`` says in messages where it stands.

    Raises:
        DataError: it is none.
    """
    if not isinstance(value, dict):
        raise DataError(f"{place}: expected an object, not {_shown(value)}")
    return value


def records(value: object, place: str) -> list[dict[str, Any]]:
    """A list of objects.

    Raises:
        DataError: it is none.
    """
    if not isinstance(value, list):
        raise DataError(f"{place}: expected a list, not {_shown(value)}")
    return [record(item, f"{place}[{number}]") for number, item in enumerate(value)]


def number(value: object, place: str, low: float = -LARGEST_NUMBER, high: float = LARGEST_NUMBER) -> float:
    """A number within ``low`` and ``high``.

    Raises:
        DataError: it is none, or outside.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{place}: expected a number, not {_shown(value)}")
    if not (low <= value <= high and math.isfinite(value)):
        raise DataError(f"{place}: {_shown(value)} is outside {low:g}..{high:g}")
    return float(value)


def whole_number(value: object, place: str, low: int = 0) -> int:
    """An integer from ``low`` on.

    Raises:
        DataError: it is none, or below.
    """
    if number(value, place, low) != value or not isinstance(value, int):
        raise DataError(f"{place}: expected a whole number, not {_shown(value)}")
    return value


def numbers(value: object, count: int, place: str) -> tuple[float, ...]:
    """A list of ``count`` numbers.

    Raises:
        DataError: it is none.
    """
    if not isinstance(value, list) or len(value) != count:
        raise DataError(f"{place}: expected a list of {count} numbers, not {_shown(value)}")
    return tuple(number(item, f"{place}[{place_in_list}]") for place_in_list, item in enumerate(value))


def field(values: dict[str, Any], key: str, place: str) -> Any:
    """A value that must be there.

    Raises:
        DataError: it is not.
    """
    if key not in values:
        raise DataError(f"{place}: has no {key!r}")
    return values[key]


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
