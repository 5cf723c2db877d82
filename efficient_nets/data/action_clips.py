"""Action recognition: a folder of videos for each class, as Kinetics has them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scaleflow.codec.video.reader import open_video
from scaleflow.efficient_nets.data.labelled_frames import check_folder
from scaleflow.efficient_nets.data.window import Window
from scaleflow.errors import DataError, UsageError

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".264", ".y4m", ".mpg")

LIST = "clips.csv"
"""Beside the folders of the classes, where there is something to say of their videos: ``path`` and ``grade``."""


@dataclass(frozen=True)
class ActionClip:
    """A video.

    Attributes:
        name: CLASS/FILE.
        path: of the file.
        label: number of its class.
        grade: how difficult it is said to be; empty where nothing is said.
        pictures: how many of its first ones count; all where None.
    """

    name: str
    path: Path
    label: int
    grade: str = ""
    pictures: int | None = None


@dataclass(frozen=True)
class ActionData:
    """Videos with classes.

    Attributes:
        place: where they were found, for messages.
        classes: names of the folders, in order.
        clips: by class and name.
        content: what the files hold, as a hash, where they are not those of their names, but what was decoded of them.
    """

    place: str
    classes: tuple[str, ...]
    clips: tuple[ActionClip, ...]
    content: str = ""

    def chosen(self, patterns: Sequence[str]) -> ActionData:
        """Clips whose name matches one of the patterns. Raises :class:`UsageError` where one matches none."""
        for pattern in patterns:
            if not any(fnmatch(clip.name, pattern) for clip in self.clips):
                raise UsageError(f"{pattern!r} names no clip of {self.place}: there are {self.clips[0].name}, ...")
        return replace(self, clips=tuple(clip for clip in self.clips if any(fnmatch(clip.name, p) for p in patterns)))

    def without(self, patterns: Sequence[str]) -> ActionData:
        """The other clips. Raises :class:`UsageError` where none are left."""
        left = tuple(clip for clip in self.clips if not any(fnmatch(clip.name, p) for p in patterns))
        if not left:
            raise UsageError(f"{', '.join(patterns)} match all clips of {self.place}: none are left")
        return replace(self, clips=left)


def open_action_data(folder: Path, part: str) -> ActionData:
    """``folder`` or ``folder/part`` holds a folder for each class, with videos; ``clips.csv`` may say how difficult.

    Raises:
        UsageError: there is no such folder, or it has no folders of classes.
        DataError: there is but one class, or one without videos.
    """
    check_folder(folder)
    place = folder / part if (folder / part).is_dir() else folder
    folders = sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise UsageError(
            f"{place}: has no folders: one for each class is needed, with its videos, as {place}/wave/1.mp4"
        )
    if len(folders) < 2:
        raise DataError(f"{place}: has one class alone, {folders[0].name}: two or more are needed")
    grades = _grades(place / LIST)
    clips = []
    for label, own in enumerate(folders):
        files = sorted(path for path in own.glob("[!.]*") if path.suffix.lower() in VIDEO_SUFFIXES)
        if not files:
            raise DataError(f"{own}: holds no videos ({', '.join(VIDEO_SUFFIXES)}), but every class needs some")
        for path in files:
            name = f"{own.name}/{path.name}"
            clips.append(ActionClip(name, path, label, grades.get(name, "")))
    return ActionData(str(place), tuple(path.name for path in folders), tuple(clips))


def read_clip(path: Path, frames: int, size: tuple[int, int], pictures: int | None = None) -> Tensor:
    """Evenly spread frames (T, 3, height, width) in uint8, brought to ``size`` (width, height).

    Args:
        pictures: how many of the first ones they are spread over; all where None.

    Raises:
        DataError: the video cannot be read, or is shorter.
    """
    with open_video(path, working_format="rgb", threads=1) as reader:
        scale = 2**reader.properties.bit_depth - 1
        shown = (
            torch.from_numpy(np.stack(picture.planes).astype(np.float32) / scale)
            for picture in islice(reader, pictures)
        )
        return spread_clip(shown, frames, size, str(path))


def spread_clip(pictures: Iterable[Tensor], frames: int, size: tuple[int, int], name: str) -> Tensor:
    """Of all pictures (3, H, W) in 0..1 of a video those that are evenly spread, as :func:`read_clip` gives them.

    Raises:
        DataError: there are fewer; ``name`` says of what.
    """
    seen: list[Tensor] = []
    for picture in pictures:
        whole = Window.whole((picture.shape[1], picture.shape[2]), size)
        seen.append((whole.picture(picture) * 255).round().to(torch.uint8))
    try:
        chosen = spread_frames(len(seen), frames)
    except UsageError as error:
        raise DataError(f"{name}: {error}: leave it out, or use a smaller action.frames") from error
    return torch.stack([seen[number] for number in chosen])


def spread_frames(available: int, frames: int) -> tuple[int, ...]:
    """Numbers of ``frames`` frames, evenly spread over a video that has ``available``, first and last included.

    Raises:
        UsageError: the video is shorter.
    """
    if available < frames:
        raise UsageError(f"a video of {available} frames is shorter than the {frames} that are asked for")
    return tuple(int(number) for number in np.linspace(0, available - 1, frames).round())


def clip_size(path: Path) -> tuple[int, int]:
    """(width, height) of a video."""
    with open_video(path, threads=1) as reader:
        return reader.properties.width, reader.properties.height


def _grades(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {row["path"]: row["grade"] or "" for row in csv.DictReader(file)}
    except (KeyError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: is no list of clips: the columns path and grade are needed") from error
