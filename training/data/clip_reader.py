"""Opening what clips are cut from, again and again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scaleflow.codec.picture import WorkingFormat
from scaleflow.codec.video.reader import VideoReader, open_video
from scaleflow.errors import DataError, UsageError


@contextmanager
def reopen_video(path: Path, working_format: WorkingFormat) -> Iterator[VideoReader]:
    """A reader that keeps to itself what is special about the file: thousands of openings would each say it again.

    Raises:
        DataError: the file cannot be read, or is no longer there: it was when it was listed.
    """
    readers = logging.getLogger("scaleflow.codec.video")
    level = readers.level
    readers.setLevel(logging.ERROR)
    try:
        try:
            reader = open_video(path, working_format=working_format, threads=1)
        except UsageError as error:
            raise DataError(str(error)) from error
        with reader:
            yield reader
    finally:
        readers.setLevel(level)
