"""Weights of older streams, found by their hash among the files of a folder."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from safetensors import SafetensorError, safe_open

from scaleflow.codec.models.weights_hash import FOR_TRAINING, hash_named_tensors
from scaleflow.errors import UsageError

logger = logging.getLogger(__name__)

FOLDER_VARIABLE = "SCALEFLOW_WEIGHTS"
"""The environment variable that names a folder of weights files."""

_FORMATS = "scaleflow-"
"""How the format in a file's metadata begins: other programs' files are not read through."""


def find_weights(weights_hash: str, folder: str | os.PathLike[str] | None = None) -> Path | None:
    """The weights file of this hash in a folder, or None where there is none.

    Files are read as safetensors only, one tensor at a time.

    Args:
        weights_hash: as the header of a stream gives it.
        folder: of ``.safetensors`` files; without, the one that ``SCALEFLOW_WEIGHTS`` names, if it names any.

    Raises:
        UsageError: there is no such folder.
    """
    place = open_weights_folder(folder)
    if place is None:
        return None
    return next((path for path in sorted(place.glob("*.safetensors")) if hash_of_file(path) == weights_hash), None)


def open_weights_folder(folder: str | os.PathLike[str] | None = None) -> Path | None:
    """The folder that is given, or that ``SCALEFLOW_WEIGHTS`` names; None where it names none.

    Raises:
        UsageError: there is no such folder.
    """
    named = folder if folder is not None else os.environ.get(FOLDER_VARIABLE)
    if not named:
        return None
    place = Path(named)
    if not place.is_dir():
        origin = "weights_folder" if folder is not None else FOLDER_VARIABLE
        message = f"{origin} {os.fspath(named)}: there is no such folder"
        raise UsageError(message, fields=("weights_folder",))
    return place


def hash_of_file(path: Path) -> str | None:
    """The weights hash of a file, or None where it holds no weights of a codec, or cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            if not (file.metadata() or {}).get("format", "").startswith(_FORMATS):
                return None
            names = [name for name in file.keys() if not name.startswith(FOR_TRAINING)]
            return hash_named_tensors((name, file.get_tensor(name)) for name in sorted(names))
    except (SafetensorError, OSError, TypeError) as error:
        logger.warning("%s: passed over: %s", path, error)
        return None
