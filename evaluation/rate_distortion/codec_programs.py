"""The programs that code, and what is common to all command lines of each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

FFMPEG_SUFFIX = "nut"
"""Container of ffmpeg's streams: of those that keep times, the one that adds least, about 10 bytes a picture."""

OBJECTS_SUFFIX = "objects"
"""Of files of two streams and their masks."""


@dataclass(frozen=True)
class CodecProgram:
    """How a codec is called.

    Attributes:
        encode, decode: verbs of ``scaleflow``; empty where ffmpeg does it.
        suffix: of the coded file, without the dot.
        takes_masks: whether the encoder is always given the clip's masks.
    """

    encode: tuple[str, ...]
    decode: tuple[str, ...]
    suffix: str
    takes_masks: bool = False


PROGRAMS = {
    "scaleflow": CodecProgram(("encode",), ("decode",), "sfv"),
    "ffmpeg": CodecProgram((), (), FFMPEG_SUFFIX),
    "roi-blur": CodecProgram(("baseline", "blur"), ("decode",), "sfv", True),
    "roi-objects": CodecProgram(("baseline", "objects"), ("baseline", "join-objects"), OBJECTS_SUFFIX, True),
    "roi-x265": CodecProgram(("baseline", "x265"), (), FFMPEG_SUFFIX, True),
}
"""By the name that stands after ``=`` in a codec's definition. Those of ``roi-`` are :mod:`scaleflow.roi.baselines`."""


def scaleflow_command() -> list[str]:
    """The command of this very installation, whatever is first on the path."""
    return [sys.executable, "-W", "ignore", "-m", "scaleflow"]


def shown_command(command: Sequence[str]) -> list[str]:
    """A command as a person would type it."""
    own = scaleflow_command()
    if list(command[: len(own)]) == own:
        return ["scaleflow", *command[len(own) :]]
    return ["ffmpeg", *command[1:]]
