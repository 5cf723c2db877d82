"""Frames with labels, whatever a task asks of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from torch import Tensor

from scaleflow.efficient_nets.data.picture_file import read_picture
from scaleflow.errors import UsageError


@dataclass(frozen=True)
class LabelledFrame:
    """A picture and what is known of it.

    Attributes:
        video: what it belongs to; frames of one video stand behind one another, in the order of time.
        name: within the video.
        picture: its file.
        target: reads what a network should find, in the form of the task.
    """

    video: str
    name: str
    picture: Path
    target: Callable[[], Tensor]

    @property
    def full_name(self) -> str:
        """Video and name."""
        return f"{self.video}/{self.name}" if self.video else self.name

    def read_picture(self) -> Tensor:
        """RGB (3, H, W) in 0..1. Raises :class:`DataError` where it cannot be read."""
        return read_picture(self.picture)


@dataclass(frozen=True)
class LabelledData:
    """Frames with labels.

    Attributes:
        place: where they were found, for messages.
        classes: what the output channels of a network stand for.
        frames: in the order of the videos, and of time.
        still: frames stand alone, and are no video together.
        condition: what is done to pictures before a network is shown them, for messages; empty for nothing.
    """

    place: str
    classes: tuple[str, ...]
    frames: tuple[LabelledFrame, ...]
    still: bool = False
    condition: str = ""

    def chosen(self, patterns: Sequence[str]) -> LabelledData:
        """Frames whose video or name matches one of the patterns, as a shell matches them.

        Raises:
            UsageError: a pattern matches none.
        """
        for pattern in patterns:
            if not any(_matches(frame, [pattern]) for frame in self.frames):
                names = ", ".join(list(dict.fromkeys(frame.video or frame.name for frame in self.frames))[:4])
                raise UsageError(f"{pattern!r} names no video and no frame of {self.place}: there are {names}, ...")
        return self._with([frame for frame in self.frames if _matches(frame, patterns)])

    def without(self, patterns: Sequence[str]) -> LabelledData:
        """The other frames. Raises :class:`UsageError` where none are left."""
        left = [frame for frame in self.frames if not _matches(frame, patterns)]
        if not left:
            raise UsageError(f"{', '.join(patterns)} match all frames of {self.place}: none are left")
        return self._with(left)

    def videos(self) -> Mapping[str, tuple[LabelledFrame, ...]]:
        """Frames by video, or by frame where these stand alone."""
        found: dict[str, list[LabelledFrame]] = {}
        for frame in self.frames:
            found.setdefault(frame.full_name if self.still else frame.video, []).append(frame)
        return {name: tuple(frames) for name, frames in found.items()}

    def _with(self, frames: Sequence[LabelledFrame]) -> LabelledData:
        return LabelledData(self.place, self.classes, tuple(frames), self.still, self.condition)


def check_folder(folder: Path) -> None:
    """Raises :class:`UsageError` where there is no such folder."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder")


def _matches(frame: LabelledFrame, patterns: Sequence[str]) -> bool:
    names = (frame.video, frame.name, frame.full_name)
    return any(fnmatch(name, pattern) for pattern in patterns for name in names)
