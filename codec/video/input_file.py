"""Opening what FFmpeg demuxes: a file is the file of that name, and nothing else is opened because of it."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import av
import av.error

from scaleflow.errors import DataError, UsageError
from scaleflow.limits import DEFAULT_MAX_PIXELS
from scaleflow.standard_input import standard_input
from scaleflow.stream_mark import MAGIC

STANDARD_INPUT = "-"
_NO_PROTOCOL = "none"
_READ_BUFFER = 1 << 18
_PLAYLISTS = {b"#EXTM3U": "an HLS playlist", b"ffconcat version": "a list of files to join", b"<MPD": "a DASH manifest"}


class ForwardOnly:
    """A binary stream without its ``seek``, so that FFmpeg does not try to rewind a pipe."""

    def __init__(self, stream: BinaryIO) -> None:
        # What has arrived is coded at once, rather than when the whole of ``size`` has come.
        self._read = getattr(stream, "read1", stream.read)
        self.position = 0

    def read(self, size: int) -> bytes:
        """As of a file: at most so many bytes, none at the end."""
        data = self._read(size)
        self.position += len(data)
        return data


class OpenedInput:
    """A container and the file under it.

    FFmpeg is handed the open file, never its name: it would take a colon in the name for a protocol and a per cent sign
    for a pattern. What the content refers to (playlists, lists of files, references to other files) is not followed
    unless a protocol is allowed.

    Args:
        source: a path, ``-`` for standard input, a binary stream, or an address where protocols are allowed.
        name: of the source in messages.
        container_format: of FFmpeg's demuxers; found out where not given.
        options: of the demuxer.
        max_pixels: of a picture, which FFmpeg's decoders heed while the container is opened.
        allow_protocols: FFmpeg's names of protocols ("file", "https", ...) that the source may use.

    Raises:
        UsageError: there is no such file.
        DataError: it is empty, or FFmpeg does not open it.
    """

    def __init__(
        self,
        source: str | BinaryIO,
        name: str,
        *,
        container_format: str | None = None,
        options: Mapping[str, str] | None = None,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        allow_protocols: Sequence[str] = (),
    ) -> None:
        self._stream: io.FileIO | None = None
        protocols = ",".join(allow_protocols) or _NO_PROTOCOL
        opened: Any = source
        self._pipe: ForwardOnly | None = None
        if source == STANDARD_INPUT:
            opened = self._pipe = ForwardOnly(standard_input())
        elif isinstance(source, str):
            is_address = bool(allow_protocols) and not os.path.exists(source) and ":" in source
            if not is_address:
                opened = self._stream = open_file(source)
                if allow_protocols and os.path.isfile(source):
                    opened = f"file:{source}"  # What it refers to is found beside it.
                    protocols += ",file"
        try:
            self.container = av.open(
                opened,
                mode="r",
                format=container_format,
                options={**(options or {}), "protocol_whitelist": protocols, "max_pixels": str(max_pixels)},
                metadata_errors="replace",
                buffer_size=_READ_BUFFER,
            )
        except (av.error.FFmpegError, ValueError) as error:
            what = _playlist(source)
            self._close_stream()
            if _start_of(source).startswith(MAGIC):
                raise DataError(
                    f"{name}: is coded by ScaleFlow already: decode it first, with scaleflow decode"
                ) from error
            if what:
                raise DataError(
                    f"{name}: is {what}, which names other files: give those, or pass allow_protocols with what may be "
                    "opened (file, https, ...)",
                    fields=("allow_protocols",),
                ) from error
            hint = "a y4m stream is expected there" if source == STANDARD_INPUT else "it is damaged, empty or no video"
            raise DataError(f"{name}: cannot be opened as a video; {hint} ({reason_of(error)})") from error
        except BaseException:
            self._close_stream()
            raise

    @property
    def bytes_read(self) -> int:
        """How far the file or pipe has been read; 0 of what FFmpeg opens itself."""
        if self._pipe is not None:
            return self._pipe.position
        return self._stream.tell() if self._stream is not None and self._stream.seekable() else 0

    def close(self) -> None:
        """Close the container and the file. Safe to call twice."""
        self.container.close()
        self._close_stream()

    def _close_stream(self) -> None:
        if self._stream is not None:
            self._stream.close()


def open_file(path: str) -> io.FileIO:
    """Open an existing file, device or pipe, unbuffered.

    Raises:
        UsageError: there is none, or it may not be read.
        DataError: it is empty.
    """
    if not os.path.exists(path):
        if "://" in path:
            raise UsageError(
                f"{path}: there is no such file; what is not a file is opened with allow_protocols only",
                fields=("allow_protocols",),
            )
        raise UsageError(f"{path}: there is no such file")
    try:
        stream = open(path, "rb", buffering=0)
    except PermissionError:
        raise UsageError(f"{path}: no permission to read it") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    status = os.fstat(stream.fileno())
    if stat.S_ISREG(status.st_mode) and status.st_size == 0:
        stream.close()
        raise DataError(f"{path}: the file is empty")
    return stream


def reason_of(error: Exception) -> str:
    """What FFmpeg or the system says, in a few words."""
    return getattr(error, "strerror", None) or str(error)


def _start_of(source: object) -> bytes:
    """The first bytes of a file; none of anything else."""
    if not isinstance(source, str) or not os.path.isfile(source):
        return b""
    with open(source, "rb") as file:
        return file.read(512)


def _playlist(source: object) -> str | None:
    """What kind of list a file is whose content names other files."""
    start = _start_of(source).lstrip(b"\xef\xbb\xbf \t\r\n")
    return next((what for mark, what in _PLAYLISTS.items() if start.startswith(mark) or mark in start[:200]), None)
