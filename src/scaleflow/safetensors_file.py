"""Safetensors files, opened as data: what cannot be read is told with the file's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from scaleflow.errors import DataError


_LONGEST_REASON = 200
"""Letters of what ``safetensors`` says, which may quote the file at length."""


@contextmanager
def opened_safetensors(path: Path, missing: str, other: str) -> Iterator[Any]:
    """The file, as ``safetensors`` opens it for PyTorch.

    Args:
        missing, other: said of a file that is not there, and of one that is damaged or of another kind.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except FileNotFoundError as error:
        raise DataError(f"{path}: {missing}") from error
    except (SafetensorError, OSError) as error:
        # what it quotes of the file may hold anything
        reason = "".join(letter if letter.isprintable() else " " for letter in str(error))
        raise DataError(f"{path}: {other} ({reason[:_LONGEST_REASON]})") from error
