"""A folder that is there when all of it is, and not before."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scaleflow.errors import DataError, UsageError
from scaleflow.partial_file import open_partial_folder, unlock


@contextmanager
def whole_folder(
    folder: Path, *, parents: bool = False, replaces: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """A hidden folder beside ``folder`` to write into, which gets that name at the end, or is removed with its content.

    Args:
        parents: make the folders that it lies in, where they are not there.
        replaces: says of a folder of that name that holds something whether it may be replaced, with all of it; it
            stays as it is until the new one is complete. Without it, none may.

    Raises:
        UsageError: there is something under that name, no folder to put it in, or another process is writing it.
        DataError: it cannot be written.
    """
    target = Path(os.path.realpath(folder))
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; choose another folder")
    try:
        full = folder.is_dir() and any(folder.iterdir())
        if full and not (replaces is not None and replaces(folder)):
            raise UsageError(f"{folder}: is not empty; choose another folder")
        if parents:
            target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made: {error.strerror}") from error
    if not target.parent.is_dir():
        raise UsageError(f"{folder}: the folder {target.parent} does not exist; create it first")
    partial, lock = open_partial_folder(target)
    try:
        clear_folder(partial)
        yield partial
        if full:
            _take_place(partial, target)
        else:
            os.replace(partial, target)  # An empty folder gives way; one that has been filled meanwhile does not.
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, OSError):
            raise DataError(f"{folder}: cannot be written: {error.strerror or error}") from error
        raise
    finally:
        unlock(lock)


def _take_place(partial: Path, target: Path) -> None:
    """Put a folder in the place of another, which is back under its name where that fails. Raises ``OSError``."""
    old = Path(tempfile.mkdtemp(prefix=f".{target.name[:100]}.old.", dir=target.parent))
    os.replace(target, old)
    try:
        os.replace(partial, target)
    except BaseException:
        os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def clear_folder(folder: Path) -> None:
    """Remove what a folder holds. Raises ``OSError``."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
