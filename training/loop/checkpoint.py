"""Checkpoints: complete or not there, and loaded without running anything that they hold."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any, cast

import torch
from torch import Tensor, nn

from scaleflow.errors import DataError, UsageError
from scaleflow.output_file import open_output_file
from scaleflow.torch_file import read_torch_file

FORMAT = "scaleflow-checkpoint-1"

_PARTS: dict[str, tuple[type, ...]] = {
    "config": (dict,),
    "network": (dict,),
    "stage": (int,),
    "step": (int,),
    "seconds": (dict, list, tuple, int, float),
    "optimizer": (dict, type(None)),
    "average": (dict, type(None)),
}
"""What a checkpoint holds beside its format."""


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
        state = read_torch_file(path)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such checkpoint") from error
    except DataError as error:
        raise DataError(f"{path}: is damaged, or no checkpoint of scaleflow train") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise DataError(f"{path}: is no checkpoint of scaleflow train")
    wrong = next((name for name, kinds in _PARTS.items() if not isinstance(state.get(name, ...), kinds)), None)
    if wrong is None and min(state["stage"], state["step"]) < 0:
        wrong = "stage or step"
    if wrong is None and not _are_weights(state["network"]):
        wrong = "network"
    if wrong is None and not isinstance(state["config"].get("optimization"), dict):
        wrong = "config"
    if wrong is None and state["average"] is not None and not _are_weights(state["average"].get("values")):
        wrong = "average"
    if wrong is not None:
        raise DataError(f"{path}: is damaged: its {wrong} is not what scaleflow train writes")
    return state


def _are_weights(values: object) -> bool:
    return isinstance(values, dict) and all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in values.items()
    )


def final_weights(state: dict[str, Any]) -> dict[str, Tensor]:
    """The weights of a checkpoint's network: averaged where the run averages."""
    weights: dict[str, Tensor] = dict(state["network"])
    if state["average"] is not None and state["config"]["optimization"].get("average"):
        weights |= state["average"]["values"]
    return weights


def give_weights(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Put weights of a checkpoint into a network.

    Raises:
        DataError: they are of another architecture.
    """
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise DataError(
            f"the checkpoint does not fit its own configuration: {str(error).splitlines()[-1].strip()}"
        ) from error
