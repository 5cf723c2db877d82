"""What is read and written, and what of it is refused before any work begins."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.picture import WorkingFormat
from scaleflow.codec.video.raw_format import RawVideoFormat
from scaleflow.codec.video.reader import VideoReader, open_video
from scaleflow.errors import UsageError
from scaleflow.limits import DEFAULT_MAX_PIXELS, check_limit
from scaleflow.output_file import check_output, is_special

PIPE = "-"


@dataclass(frozen=True)
class VideoSource:
    """What to read, and how; the fields are those of :func:`scaleflow.codec.video.reader.open_video`."""

    path: str | os.PathLike[str]
    raw: RawVideoFormat | None = None
    frame_rate: Fraction | None = None
    threads: int = 0
    allow_protocols: tuple[str, ...] = ()
    max_pixels: int = DEFAULT_MAX_PIXELS

    def __post_init__(self) -> None:
        check_limit("max_pixels", self.max_pixels)

    @property
    def can_reopen(self) -> bool:
        """Whether it can be read more than once."""
        path = Path(self.path)
        return os.fspath(self.path) != PIPE and (path.is_dir() or not (path.exists() and is_special(path)))

    def open(self, working_format: WorkingFormat) -> VideoReader:
        """Start to read it."""
        return open_video(
            self.path,
            raw=self.raw,
            frame_rate=self.frame_rate,
            working_format=working_format,
            threads=self.threads,
            allow_protocols=self.allow_protocols,
            max_pixels=self.max_pixels,
        )


def check_request(source: VideoSource, destination: str | os.PathLike[str], settings: EncodeSettings) -> None:
    """Refuse what cannot be done before anything is loaded.

    Raises:
        UsageError: the output exists or is the input, or the input can be read only once and must be read twice.
    """
    if settings.searches and not source.can_reopen:
        what = "two_pass" if settings.two_pass else "target_psnr" if settings.target_psnr else "target_roi_psnr"
        raise UsageError(
            f"{what} reads the input several times, which a pipe does not allow: save it to a file first",
            fields=(what,),
        )
    check_destination(source.path, destination, settings.overwrite)


def check_destination(source: str | os.PathLike[str], destination: str | os.PathLike[str], overwrite: bool) -> None:
    """Refuse an output that exists, has no folder, or is the input.

    Raises:
        UsageError: says which, and the remedy.
    """
    target = os.fspath(destination)
    if target == PIPE:
        return
    if os.path.exists(source) and os.path.exists(target) and os.path.samefile(source, target):
        if not is_special(Path(target)):
            raise UsageError(f"{target}: is the input itself; choose another output")
    check_output(target, overwrite)
