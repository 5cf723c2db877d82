"""Output that appears under its name only when it is complete."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from scaleflow.errors import DataError, UsageError
from scaleflow.partial_file import open_partial_file

logger = logging.getLogger(__name__)


def check_output(path: str, overwrite: bool) -> None:
    """Refuse an output that exists already or whose folder does not.

    Raises:
        UsageError: says which, and the remedy.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise UsageError(f"{path}: the folder {target.parent} does not exist; create it first")
    if target.is_dir():
        raise UsageError(f"{path}: is a folder; end the name with / to write pictures into it")
    if target.exists() and not is_special(target):
        if not overwrite:
            raise UsageError(
                f"{path}: exists already; choose another name or pass overwrite=True", fields=("overwrite",)
            )
        if not os.access(target, os.W_OK):
            raise UsageError(f"{path}: is write-protected; change its mode, or choose another name")


def is_special(path: Path) -> bool:
    """Whether a path is a device or a pipe, which is written in place and never replaced."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


class OutputStream:
    """Binary output to standard output or to a device or pipe: in place, without ``seek``.

    After :meth:`abort` it takes and ignores what is written: a muxer that is closed then still writes its end.
    """

    def __init__(self, stream: BinaryIO, name: str, *, owned: bool = True) -> None:
        """``owned``: the stream is closed at the end, as is not done with standard output."""
        self.name = name
        self._stream = stream
        self._owned = owned
        self._aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write all of ``data``.

        Raises:
            DataError: no space is left, or the reader has gone.
        """
        if self._aborted:
            return len(data)
        try:
            self._stream.write(data)
        except OSError as error:
            raise write_failure(self.name, error) from error
        return len(data)

    def flush(self) -> None:
        """Send what is still buffered.

        Raises:
            DataError: no space is left, or the reader has gone.
        """
        if self._aborted:
            return
        try:
            self._stream.flush()
        except OSError as error:
            raise write_failure(self.name, error) from error

    def commit(self) -> None:
        """Send what is still buffered and end the output."""
        try:
            self._stream.flush()
            self._release()
        except OSError as error:
            raise write_failure(self.name, error) from error

    def abort(self) -> None:
        """Stop here; what has been sent cannot be taken back."""
        self._aborted = True
        try:
            self._release()
        except OSError:
            pass  # The failure that led here is the one to tell.

    def _release(self) -> None:
        if self._owned:
            self._stream.close()


class OutputFile(OutputStream):
    """A file written under a hidden name in the same folder, renamed by :meth:`commit`, removed by :meth:`abort`.

    Until then whatever has the name stays as it is, and no other process can write the same. What is replaced gives its
    mode, and its owner where that is allowed; a symbolic link stays one and its target is replaced, unless
    ``follow_links`` is false, for folders of others: then the link itself is replaced.
    """

    def __init__(self, path: str, overwrite: bool, *, follow_links: bool = True) -> None:
        self._target = _target(path, follow_links)
        self._overwrite = overwrite
        self._partial, stream = open_partial_file(self._target)
        super().__init__(stream, path)
        keep_mode(self._target, stream.fileno())

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of a file; what is buffered may fail to be written here."""
        if self._aborted:
            return 0
        try:
            return self._stream.seek(offset, whence)
        except OSError as error:
            raise write_failure(self.name, error) from error

    def tell(self) -> int:
        """As of a file."""
        return 0 if self._aborted else self._stream.tell()

    def truncate(self, size: int) -> None:
        """Take back what was written after the first ``size`` bytes and go on there."""
        try:
            self._stream.seek(size)
            self._stream.truncate()
        except OSError as error:
            raise write_failure(self.name, error) from error

    def commit(self) -> None:
        """Complete the file and give it its name.

        Raises:
            DataError: no space is left, or, without ``overwrite``, something of that name has appeared. Nothing is left.
        """
        try:
            self._stream.flush()
            place_file(self._partial, self._target, self._overwrite)
            self._aborted = True  # There is nothing left to take back.
            self._release()
        except FileExistsError as error:
            self.abort()
            raise DataError(f"{self.name}: has appeared in the meantime; nothing was written") from error
        except OSError as error:
            self.abort()
            raise write_failure(self.name, error) from error

    def abort(self) -> None:
        """Remove what has been written."""
        if not self._aborted:
            with contextlib.suppress(OSError):  # The failure that led here is the one to tell.
                self._partial.unlink(missing_ok=True)  # While it is locked: afterwards it may be another's.
            super().abort()


def _target(path: str, follow_links: bool) -> Path:
    return Path(os.path.realpath(path)) if follow_links else Path(path)


def keep_mode(target: Path, new: int | Path) -> None:
    """Give a new file, by its descriptor or its name, the mode and as far as possible the owner of what it replaces."""
    try:
        found = target.lstat()
    except OSError:
        return
    if not stat.S_ISREG(found.st_mode):
        return
    if found.st_nlink > 1:
        logger.warning("%s: has further names (hard links), which keep what it holds now", target)
    with contextlib.suppress(OSError):
        os.chown(new, found.st_uid, found.st_gid)
    with contextlib.suppress(OSError):
        os.chmod(new, stat.S_IMODE(found.st_mode))


def place_file(partial: Path, target: Path, overwrite: bool) -> None:
    """Give a complete file its name at once.

    Where it replaces another its content is on the disk first, so that not even a loss of power leaves neither.

    Raises:
        FileExistsError: there is something of that name, without ``overwrite``.
    """
    if overwrite:
        if target.exists():
            with partial.open("rb") as file:
                os.fsync(file.fileno())
        os.replace(partial, target)
        return
    try:
        os.link(partial, target)
    except FileExistsError:
        raise
    except OSError:  # The file system has no hard links.
        if os.path.lexists(target):
            raise FileExistsError(target) from None
        os.replace(partial, target)
        return
    partial.unlink()


@contextlib.contextmanager
def whole_file(path: str, overwrite: bool, *, follow_links: bool = True) -> Iterator[Path]:
    """A hidden path beside ``path``, with its suffix, that other programs write to; it gets its name at the end.

    ``follow_links`` as of :class:`OutputFile`.

    Raises:
        UsageError: as :func:`check_output`, or another process writes the same.
        DataError: it cannot be placed; nothing is left.
    """
    check_output(path, overwrite)
    target = _target(path, follow_links)
    place, lock = open_partial_file(target)
    partial = target.with_name(f".{target.stem}.partial{target.suffix}")
    try:
        partial.unlink(missing_ok=True)
        yield partial
        keep_mode(target, partial)
        place_file(partial, target, overwrite)
    except OSError as error:
        raise write_failure(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
            place.unlink(missing_ok=True)
        lock.close()


def open_output_file(path: str, overwrite: bool, *, follow_links: bool = True) -> OutputStream:
    """Open ``path`` for writing; ``-`` is standard output; devices and pipes are written in place.

    ``follow_links`` as of :class:`OutputFile`.
    """
    if path == "-":
        return OutputStream(_standard_output(), "standard output", owned=False)
    check_output(path, overwrite)
    if is_special(Path(path)) and (follow_links or not Path(path).is_symlink()):
        try:
            return OutputStream(open(path, "wb"), path)
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
    return OutputFile(path, overwrite, follow_links=follow_links)


def _standard_output() -> BinaryIO:
    """Standard output for bytes; notebooks and closed standard streams have none."""
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        raise UsageError("standard output takes no bytes here: write to a file instead of -")
    return stream


def write_whole_file(path: str, data: bytes, overwrite: bool, *, follow_links: bool = True) -> None:
    """Write ``data`` to ``path``, which is seen complete or not at all; ``follow_links`` as of :class:`OutputFile`.

    Raises:
        UsageError: the output exists already, or cannot be made.
        DataError: writing fails; nothing is kept.
    """
    output = open_output_file(path, overwrite, follow_links=follow_links)
    try:
        output.write(data)
        output.commit()
    except BaseException:
        output.abort()
        raise


def write_failure(name: str, error: OSError) -> DataError:
    """The error to raise when writing fails."""
    if isinstance(error, BrokenPipeError):
        return DataError(f"{name}: the reader has closed the pipe")
    return DataError(f"{name}: writing failed: {error.strerror or error}; nothing was kept")
