"""What is being written lies under a hidden name beside its target, locked for as long as its writer lives.

The lock is the system's (``flock``) and goes with the process that holds it, however that ends: what a dead process left
is taken away by the next writer, what a living one writes is refused to others.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from scaleflow.errors import UsageError

try:
    import fcntl
except ImportError:  # Not a Unix: files are written under names that nobody else makes.
    fcntl = None  # type: ignore[assignment]

ATTEMPTS, PAUSE = 50, 0.02
"""How often, and after how many seconds, a lock is tried again that another process may hold for a moment only."""

_LONGEST_NAME = 255
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


def partial_name(target: Path) -> Path:
    """The hidden name beside ``target`` for what is being written."""
    name = f".{target.name}.partial"
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:32]}.partial"
    return target.with_name(name)


def open_partial_file(target: Path) -> tuple[Path, BinaryIO]:
    """A new file beside ``target``, locked until it is closed; what a dead process left under its name is removed.

    Raises:
        UsageError: another process writes the same target, or no file can be made there.
    """
    partial = partial_name(target)
    try:
        for _ in range(ATTEMPTS):
            descriptor = _new_file(partial)
            if descriptor is not None:
                return partial, os.fdopen(descriptor, "wb")
            if _remove_if_dead(partial):
                continue
            time.sleep(PAUSE)
        raise _busy(target)
    except _NoLocks:
        partial = partial.with_name(f"{partial.name}.{secrets.token_hex(4)}")
    except OSError as error:
        raise _cannot_write(target, error) from error
    try:
        return partial, partial.open("xb")
    except OSError as error:
        raise _cannot_write(target, error) from error


def open_partial_folder(target: Path) -> tuple[Path, int | None]:
    """A folder beside ``target``, locked, for the caller to clear of what a dead process left in it.

    Returns:
        The folder, and the descriptor that holds its lock, for :func:`unlock`.

    Raises:
        UsageError: another process writes the same target, or no folder can be made there.
    """
    partial = partial_name(target)
    try:
        for _ in range(ATTEMPTS):
            with contextlib.suppress(FileExistsError):
                partial.mkdir()
            try:
                lock = _lock_folder(partial)
            except (FileNotFoundError, BlockingIOError):  # Its last writer is removing it, or is not.
                time.sleep(PAUSE)
                continue
            if _is_there(lock, partial):
                return partial, lock
            unlock(lock)
        raise _busy(target)
    except _NoLocks:
        partial = partial.with_name(f"{partial.name}.{secrets.token_hex(4)}")
    except OSError as error:
        raise _cannot_write(target, error) from error
    try:
        partial.mkdir()
    except OSError as error:
        raise _cannot_write(target, error) from error
    return partial, None


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """While entered, no other process enters with the same folder, which is there.

    Raises:
        UsageError: another process has entered.
    """
    lock = None
    try:
        lock = _lock_folder(folder.resolve())
    except BlockingIOError as error:
        raise _busy(folder) from error
    except _NoLocks:
        pass
    except OSError as error:
        raise _cannot_write(folder, error) from error
    try:
        yield
    finally:
        unlock(lock)


def unlock(descriptor: int | None) -> None:
    """End the lock of a folder."""
    if descriptor is not None:
        os.close(descriptor)


class _NoLocks(Exception):
    """The file system, or the operating system, has no locks."""


def _new_file(partial: Path) -> int | None:
    """The descriptor of a file that was not there, locked; None where there is one, or another process took it."""
    if fcntl is None:
        raise _NoLocks
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    except FileExistsError:
        return None
    try:
        _lock(descriptor)
        if _is_there(descriptor, partial):
            return descriptor
    except BlockingIOError:
        pass  # Another process looks whether the writer of this file is dead, and will find it gone.
    except BaseException:
        os.close(descriptor)
        partial.unlink(missing_ok=True)
        raise
    os.close(descriptor)
    return None


def _remove_if_dead(partial: Path) -> bool:
    """Remove a file whose writer is dead; False where it lives."""
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return True
    try:
        _lock(descriptor)
        if _is_there(descriptor, partial):
            partial.unlink()
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def _lock_folder(folder: Path) -> int:
    """Raises ``BlockingIOError`` where another process holds the lock."""
    if fcntl is None:
        raise _NoLocks
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _lock(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise _NoLocks from error
        raise


def _is_there(descriptor: int, path: Path) -> bool:
    """Whether an open file still has its name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except OSError:
        return False


def _busy(target: Path) -> UsageError:
    return UsageError(f"{target}: is being written by another process; wait for it, or choose another name")


def _cannot_write(target: Path, error: OSError) -> UsageError:
    return UsageError(f"{target}: cannot be written: {error.strerror or error}")
