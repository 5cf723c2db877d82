"""Puts several files into a folder in place of others: all of them, or none."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from scaleflow.errors import DataError
from scaleflow.output_file import keep_mode

logger = logging.getLogger(__name__)

_REPLACED = "replaced"
"""Folder beside the new files that those lie in meanwhile which they replace."""

_DONE_WITH = "done with"
"""Its name when all new files are in their places."""


def place_files(partial: Path, folder: Path, names: Sequence[str], overwrite: bool) -> None:
    """Move files of ``partial`` into ``folder``. Where a move fails, or a signal ends it, all others are undone.

    A process that is killed meanwhile leaves the replaced files in ``partial``, for :func:`put_back_files`.

    Raises:
        DataError: a name is that of a folder, or, without ``overwrite``, of anything. Nothing is replaced then.
        OSError: a move failed. Nothing is replaced then.
    """
    replaced = partial / _REPLACED
    placed: list[str] = []
    try:
        replaced.mkdir()
        for name in names:
            target = folder / name
            if target.is_dir():
                raise DataError(f"{target}: is a folder; nothing was replaced")
            if os.path.lexists(target) and not overwrite:
                raise DataError(f"{target}: has appeared in the meantime; nothing was replaced")
            real = Path(os.path.realpath(target))
            placed.append(name)
            if os.path.lexists(real):
                keep_mode(real, partial / name)
                os.replace(real, replaced / name)
            os.replace(partial / name, real)
    except BaseException:
        for name in placed:
            if not os.path.lexists(partial / name) and not os.path.lexists(replaced / name):
                Path(os.path.realpath(folder / name)).unlink(missing_ok=True)
        put_back_files(partial, folder)
        raise
    # At once: whoever finds some of them missing later must not put the rest back beside what replaced the others.
    done_with = partial / _DONE_WITH
    os.replace(replaced, done_with)
    for path in done_with.iterdir():
        path.unlink()
    done_with.rmdir()


def put_back_files(partial: Path, folder: Path) -> int:
    """Undo a replacement that was not completed, by this process or one that was killed; gives how many came back."""
    replaced = partial / _REPLACED
    if not replaced.is_dir():
        return 0
    count = 0
    for path in sorted(replaced.iterdir()):
        try:
            os.replace(path, os.path.realpath(folder / path.name))
            count += 1
        except OSError as error:
            logger.error("%s: cannot be put back: %s; it is kept as %s", folder / path.name, error.strerror, path)
    if not any(replaced.iterdir()):
        replaced.rmdir()
    return count


def holds_replaced_files(partial: Path) -> bool:
    """Whether files lie here that were replaced, and neither came back nor were done with."""
    replaced = partial / _REPLACED
    return replaced.is_dir() and any(replaced.iterdir())
