"""Which file it was."""

from __future__ import annotations

import hashlib
from pathlib import Path

from scaleflow.errors import DataError


def file_hash(path: Path) -> str:
    """The first 16 hexadecimal digits of a file's SHA-256.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
