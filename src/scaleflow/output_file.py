"""Output that appears under its name only when it is complete."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from scaleflow.errors import DataError, UsageError


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
    if target.exists() and not is_special(target) and not overwrite:
        raise UsageError(
            f"{path}: exists already; choose another name or pass overwrite=True", fields=("overwrite",)
        )


def is_special(path: Path) -> bool:
    """Whether a path is a device or a pipe, which is written in place and never replaced."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def partial_name(target: Path) -> Path:
    """A name beside ``target``, hidden and not in use, for what is being written."""
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")


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
    """A file written under a temporary name in the same folder, renamed by :meth:`commit`, removed by :meth:`abort`."""

    def __init__(self, path: str) -> None:
        self._target = Path(path)
        self._partial = partial_name(self._target)
        try:
            stream = self._partial.open("xb")
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
        super().__init__(stream, path)

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
        """Complete the file and give it its name."""
        try:
            super().commit()
            os.replace(self._partial, self._target)
        except OSError as error:
            self.abort()
            raise write_failure(self.name, error) from error
        except DataError:
            self.abort()
            raise

    def abort(self) -> None:
        """Remove what has been written."""
        super().abort()
        self._partial.unlink(missing_ok=True)


def open_output_file(path: str, overwrite: bool) -> OutputStream:
    """Open ``path`` for writing; ``-`` is standard output; devices and pipes are written in place."""
    if path == "-":
        return OutputStream(_standard_output(), "standard output", owned=False)
    check_output(path, overwrite)
    if is_special(Path(path)):
        try:
            return OutputStream(open(path, "wb"), path)
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
    return OutputFile(path)


def _standard_output() -> BinaryIO:
    """Standard output for bytes; notebooks and closed standard streams have none."""
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        raise UsageError("standard output takes no bytes here: write to a file instead of -")
    return stream


def write_whole_file(path: str, data: bytes, overwrite: bool) -> None:
    """Write ``data`` to ``path``, which is seen complete or not at all.

    Raises:
        UsageError: the output exists already, or cannot be made.
        DataError: writing fails; nothing is kept.
    """
    output = open_output_file(path, overwrite)
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
