"""Labels of pictures as files: indexed pictures of class numbers, or a JSON line for each picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.codec.video.picture_writer import FOLDER_PATTERN
from scaleflow.codec.video.video_writer import VideoWriter
from scaleflow.efficient_nets.data.box_rows import known
from scaleflow.efficient_nets.labelling.colors import class_colors
from scaleflow.efficient_nets.labelling.drawing import Draw
from scaleflow.efficient_nets.labelling.picture_network import Found
from scaleflow.efficient_nets.labelling.pictures import SeenPicture

CLASSES, BOXES, POINTS = "classes.json", "boxes.jsonl", "points.jsonl"


class LabelOutput(Protocol):
    """Takes what was found in each picture, in their order."""

    def add(self, picture: SeenPicture, found: Found) -> None:
        """The next picture. Raises OSError, or :class:`DataError`, where it cannot be written."""


class LabelMaps:
    """A PNG with a palette for each picture, named as ``scaleflow decode`` names the picture in a folder; implements
    :class:`LabelOutput`. ``classes.json`` says what the numbers are."""

    def __init__(self, folder: Path, task: str, classes: tuple[str, ...]) -> None:
        self._folder = folder
        colors = class_colors(classes)
        self._palette = colors.flatten().tolist()
        content = {"task": task, "classes": list(classes), "colors": colors.tolist()}
        (folder / CLASSES).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    def add(self, picture: SeenPicture, found: Found) -> None:
        """See :class:`LabelOutput`."""
        image = Image.fromarray(found.prediction.numpy())
        image.putpalette(self._palette)
        image.save(self._folder / (FOLDER_PATTERN % (picture.number + 1)))


class LabelLines:
    """A JSON line for each picture: its number from 0, its time, and what is in it; implements :class:`LabelOutput`."""

    def __init__(
        self, path: Path, key: str, items: Callable[[Found], list[dict[str, Any]]], time_base: Fraction
    ) -> None:
        self._path, self._key, self._items, self._time_base = path, key, items, time_base
        self._first: int | None = None

    def add(self, picture: SeenPicture, found: Found) -> None:
        """See :class:`LabelOutput`."""
        if self._first is None:
            self._first = picture.pts
        seconds = float((picture.pts - self._first) * self._time_base)
        line = {"picture": picture.number, "seconds": round(seconds, 6), self._key: self._items(found)}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


class DrawnVideo:
    """A video of the pictures with what was found over them; implements :class:`LabelOutput`."""

    def __init__(self, writer: VideoWriter, draw: Draw) -> None:
        """``writer`` takes pictures of the working format ``rgb``, as of :func:`drawn_properties`."""
        self._writer, self._draw = writer, draw

    def add(self, picture: SeenPicture, found: Found) -> None:
        """See :class:`LabelOutput`."""
        drawn = self._draw(picture.rgb, found)
        self._writer.write(Picture((drawn[..., 0], drawn[..., 1], drawn[..., 2]), picture.pts))


def label_output(folder: Path, task: str, classes: tuple[str, ...], properties: VideoProperties) -> LabelOutput:
    """What writes the labels of a task into a folder."""
    if task == "detection":
        return LabelLines(folder / BOXES, "boxes", lambda found: _boxes(found, classes), properties.time_base)
    if task == "keypoints":
        return LabelLines(folder / POINTS, "points", lambda found: _points(found, classes), properties.time_base)
    return LabelMaps(folder, task, classes)


def drawn_properties(properties: VideoProperties) -> VideoProperties:
    """Of a video with labels drawn over the pictures of another: Y'CbCr of 8 bits, which every player shows."""
    return VideoProperties(
        properties.width,
        properties.height,
        "yuv420p",
        8,
        properties.frame_rate,
        properties.time_base,
        color_matrix="bt709",
        color_range="tv",
        sample_aspect_ratio=properties.sample_aspect_ratio,
        rotation=properties.rotation,
        working_format="rgb",
    )


def _boxes(found: Found, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """In samples of the picture, from the outer edge of its first sample on; best first."""
    return [
        {
            "class": classes[int(number)],
            "score": round(score, 4),
            "left": round(left, 2),
            "top": round(top, 2),
            "right": round(right, 2),
            "bottom": round(bottom, 2),
        }
        for left, top, right, bottom, number, score in known(found.prediction).tolist()
    ]


def _points(found: Found, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """In samples of the picture, 0 at the middle of the first."""
    scores = [] if found.scores is None else found.scores.tolist()
    return [
        {"class": name, "score": round(score, 4), "x": round(x, 2), "y": round(y, 2)}
        for name, score, (x, y) in zip(classes, scores, found.prediction.tolist(), strict=True)
    ]
