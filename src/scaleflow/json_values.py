"""Values of JSON files that people or other programs wrote, checked one by one."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from scaleflow.errors import DataError, UsageError

LARGEST_NUMBER = 1e9
"""Of any coordinate, time or count."""

LONGEST_TEXT = 4096
"""Characters of any name, path or sentence."""

LARGEST_FILE = 1 << 30
"""Bytes of a JSON file, which is held in memory as a whole, several times its size."""


def read_json(path: Path, *, missing_numbers: bool = False) -> Any:
    """What a file holds. With ``missing_numbers``, NaN and Infinity, which JSON has not, are read as None.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        DataError: it is no JSON, is too large, or holds NaN or Infinity.
    """
    constant: Callable[[str], None] = _missing_number if missing_numbers else _refuse_constant
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise DataError(f"{path}: is larger than {LARGEST_FILE >> 20} MiB, which no file of its kind is")
        return json.loads(content.decode("utf-8-sig"), parse_constant=constant)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise DataError(f"{path}: is no JSON of any use: it is nested too deeply") from error
    except ValueError as error:
        raise DataError(f"{path}: is no JSON: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _missing_number(name: str) -> None:
    return None


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


def whole_number(value: object, place: str, low: int = 0, high: float = LARGEST_NUMBER) -> int:
    """An integer within ``low`` and ``high``.

    Raises:
        DataError: it is none, or outside.
    """
    if number(value, place, low, high) != value or not isinstance(value, int):
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


def text(value: object, place: str) -> str:
    """A text that can be printed and written anywhere: no control characters, no halves of characters.

    Raises:
        DataError: it is none, or too long.
    """
    if not isinstance(value, str):
        raise DataError(f"{place}: expected a text, not {_shown(value)}")
    if len(value) > LONGEST_TEXT:
        raise DataError(f"{place}: {_shown(value)} is longer than {LONGEST_TEXT} characters")
    if not is_plain_text(value):
        raise DataError(f"{place}: {_shown(value)} holds control characters or halves of characters")
    return value


def is_plain_text(value: str) -> bool:
    """Whether a text is free of control characters and of halves of characters, which no UTF-8 file can hold."""
    return not any(map(_is_odd, value))


def plain_text(value: str) -> str:
    """A text such as the path of a file, with escapes for what :func:`is_plain_text` does not let through."""
    return "".join(f"\\u{ord(character):04x}" if _is_odd(character) else character for character in value)


def _is_odd(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs")


def file_name(value: object, place: str) -> str:
    """The name of a file or folder, without the folder that it lies in.

    Raises:
        DataError: it is none: it leads elsewhere, or no file can have it.
    """
    name = text(value, place)
    if name in ("", ".", "..") or "/" in name or "\\" in name or len(name.encode()) > 255:
        raise DataError(f"{place}: {_shown(value)} is no plain name of a file")
    return name


def field(values: dict[str, Any], key: str, place: str) -> Any:
    """A value that must be there.

    Raises:
        DataError: it is not.
    """
    if key not in values:
        raise DataError(f"{place}: has no {key!r}")
    return values[key]


def _shown(value: object) -> str:
    try:
        shown = json.dumps(value)
    except (RecursionError, ValueError):
        return "a value that is nested or large beyond measure"
    return shown if len(shown) <= 40 else f"{shown[:37]}..."
