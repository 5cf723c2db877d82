"""Whether the tensors of a file are those that a network takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from scaleflow.errors import DataError


def check_tensors(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], path: Path) -> None:
    """Refuse a file whose tensors are not exactly the network's, or would spread through all pictures.

    Args:
        given: what the file holds.
        wanted: names and shapes; values do not count.
        path: of the file, for the message.

    Raises:
        DataError: a tensor is missing, unknown, of another shape, or holds a value that is no finite number.
    """
    for name, value in wanted.items():
        if name not in given:
            raise DataError(f"{path}: these weights do not fit: {name} is missing")
        if given[name].shape != value.shape or not given[name].is_floating_point():
            found = f"{tuple(given[name].shape)} of {given[name].dtype}"
            raise DataError(f"{path}: these weights do not fit: {name} is {found}, not {tuple(value.shape)} of floats")
        if not bool(torch.isfinite(given[name]).all()):
            raise DataError(f"{path}: {name} holds values that are no finite numbers: take another file, or train anew")
    if unknown := sorted(set(given) - set(wanted)):
        raise DataError(f"{path}: these weights do not fit: {unknown[0][:80]!r} is unknown")
