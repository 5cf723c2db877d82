"""Safetensors files, opened as data: what cannot be read is told with the file's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from scaleflow.errors import DataError


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
        raise DataError(f"{path}: {other} ({error})") from error
