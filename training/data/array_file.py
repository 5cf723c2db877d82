"""NumPy's array files, read as data."""

from __future__ import annotations

from os import PathLike
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from scaleflow.errors import DataError


def read_array(file: str | PathLike[str] | BinaryIO, *, mmap_mode: Literal["r"] | None = None) -> NDArray[Any]:
    """The array of an ``.npy`` file, or with ``mmap_mode`` a view of it; objects, which would be pickles, are refused.

    Raises:
        OSError: it cannot be read.
        DataError: it holds no array.
    """
    try:
        array = np.load(file, mmap_mode=mmap_mode, allow_pickle=False)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # The header is a text of Python, whose parser has errors of its own.
        raise DataError(f"is no array ({type(error).__name__})") from error
    if not isinstance(array, np.ndarray):
        raise DataError("is an archive of arrays, not one")
    return array
