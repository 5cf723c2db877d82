"""Safetensors files that say in their metadata what they hold; weights of networks are kept in these."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialized
from torch import Tensor

from scaleflow.errors import DataError
from scaleflow.output_file import write_whole_file


def write_tensors(path: Path, kind: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """A safetensors file of a format, whole or not at all. Raises :class:`DataError`."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole_file(str(path), serialized(plain, {"format": kind, **metadata}), True)


def read_tensors(path: Path, kind: str, what: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file of a format.

    Raises:
        DataError: it is damaged, or of another format than that of ``what``.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            found = metadata.get("format")
            tensors = {name: file.get_tensor(name) for name in file.keys()} if found == kind else {}
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: is damaged, or no safetensors file") from error
    if found != kind:
        raise DataError(f"{path}: holds no {what} (its format is {found!r}, not {kind!r})")
    return tensors, metadata


def misfit(path: Path, error: Exception) -> DataError:
    """The error to raise where a file's tensors are not those of what it says that it holds."""
    said = str(error).splitlines()[0]
    return DataError(f"{path}: its weights do not fit what it says of itself: {said}")
