"""Checkpoints: complete or not there, and loaded without running anything that they hold."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import IO, Any, cast

import torch
from torch import Tensor

from scaleflow.errors import DataError, UsageError
from scaleflow.output_file import open_output_file

FORMAT = "scaleflow-checkpoint-1"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write under another name, then rename: a process that is killed leaves the last checkpoint whole.

    Raises:
        DataError: it cannot be written; the last one is still there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        output = open_output_file(str(path), overwrite=True)
        try:
            torch.save({"format": FORMAT, **state}, cast(IO[bytes], output))  # It writes, and does nothing else.
            output.commit()
        except BaseException:
            output.abort()
            raise
    except (OSError, RuntimeError, DataError) as error:  # torch reports a full disk as a RuntimeError
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
        raise DataError(f"{path}: the checkpoint cannot be written: {said}; the last one is kept") from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU.

    Raises:
        UsageError: there is none.
        DataError: it is damaged, or none of this project's.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such checkpoint") from error
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError) as error:
        raise DataError(f"{path}: is damaged, or no checkpoint of scaleflow train") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise DataError(f"{path}: is no checkpoint of scaleflow train")
    return state


def final_weights(state: dict[str, Any]) -> dict[str, Tensor]:
    """The weights of a checkpoint's network: averaged where the run averages."""
    weights: dict[str, Tensor] = dict(state["network"])
    if state["average"] is not None and state["config"]["optimization"]["average"]:
        weights |= state["average"]["values"]
    return weights
