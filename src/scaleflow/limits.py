"""How much a file may ask for before anything is allocated."""

from __future__ import annotations

from scaleflow.errors import DataError, UsageError

DEFAULT_MAX_PIXELS = 8192 * 8192
"""Samples of luma in a picture: 8K and most photographs; coding takes some 140 bytes for each."""

DEFAULT_MAX_STAND_INS = 1000
"""Pictures that may stand in for lost ones of which there is no trace: 40 seconds at 25 pictures a second."""

_OUT_OF_MEMORY = ("not enough memory", "can't allocate memory", "cannot allocate memory", "std::bad_alloc", "out of memory")


def check_picture_size(width: int, height: int, max_pixels: int, name: str) -> None:
    """Refuse pictures that are larger than was allowed.

    Raises:
        DataError: says how large they are, and which setting allows them.
    """
    if width * height > max_pixels:
        raise DataError(
            f"{name}: its pictures of {width}x{height} are more than max_pixels {max_pixels}; raise max_pixels to "
            f"{width * height} if that is right, and if there is memory for them",
            fields=("max_pixels",),
        )


def check_limit(name: str, value: int) -> None:
    """Raises :class:`UsageError` where a limit is none."""
    if value < (0 if name == "max_stand_ins" else 1):
        raise UsageError(f"{name} {value} is no limit: give a whole number of {name}", fields=(name,))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that an allocation failed; PyTorch and C++ say so by ``RuntimeError``."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _OUT_OF_MEMORY)
