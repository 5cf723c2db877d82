"""The video that a verb reads, from what a person typed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scaleflow.cli.values import parse_frame_rate, parse_size
from scaleflow.errors import UsageError

if TYPE_CHECKING:
    from scaleflow.cli.options import RawOptions
    from scaleflow.codec.encoding.request import VideoSource


def video_source(path: str, form: RawOptions) -> VideoSource:
    """What to read, from INPUT and what is said of it. Raises :class:`UsageError`."""
    from scaleflow.codec.encoding.request import VideoSource
    from scaleflow.codec.video.raw_format import RawVideoFormat

    frame_rate = None if form.fps is None else parse_frame_rate(form.fps)
    if form.size is None:
        if form.pix_fmt is not None:
            raise UsageError("--pix-fmt is for raw input: say its --size and --fps too")
        return VideoSource(path, frame_rate=frame_rate)
    if frame_rate is None:
        raise UsageError("raw input has no frame rate: say it with --fps")
    width, height = parse_size(form.size)
    return VideoSource(path, raw=RawVideoFormat(width, height, frame_rate, form.pix_fmt or "yuv420p"))


def check_input(path: str) -> None:
    """Refuse a name that is plainly nothing before the networks are loaded; patterns are left to the reader."""
    if path != "-" and not Path(path).exists() and not set(path) & set("%*?["):
        raise UsageError(f"{path}: there is no such file")
