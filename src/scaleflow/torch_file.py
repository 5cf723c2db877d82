"""Files that ``torch.save`` wrote, read as data: tensors, numbers, texts and containers of them, and nothing that runs."""

from __future__ import annotations

import pickle
from os import PathLike, fspath
from typing import Any

import torch

from scaleflow.errors import DataError


def read_torch_file(path: str | PathLike[str]) -> Any:
    """What a checkpoint of torch holds, on the CPU.

    Classes and functions that a pickle names are refused, so that a file of others runs nothing.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: it holds anything else, is damaged, or cannot be read.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, MemoryError):
        raise
    except pickle.UnpicklingError as error:  # torch's own words say how to load it nevertheless
        raise DataError(f"{fspath(path)}: is damaged, or holds more than tensors and plain values") from error
    except Exception as error:  # A pickle is a program: what a damaged one makes torch raise can be of any kind.
        raise DataError(f"{fspath(path)}: {_first_lines(error)}") from error


def _first_lines(error: Exception) -> str:
    """What torch says on many lines, on one: its heading and the first particular."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])[:200] if lines else type(error).__name__
