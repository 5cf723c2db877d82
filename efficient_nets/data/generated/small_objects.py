"""Videos with small moving objects and their boxes, for detection: shapes of five classes over real videos."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scaleflow.efficient_nets.data.generated.backgrounds import BackgroundReader, background_files, cut_texture
from scaleflow.efficient_nets.data.generated.textured_shapes import SHAPES, TexturedShape, draw_shape
from scaleflow.errors import UsageError
from scaleflow.output_folder import whole_folder

LEAST_VISIBLE = 0.3
"""Share of an object below which it counts neither as found nor as missed: what others cover, or the border cuts."""

JPEG_QUALITY = 92


@dataclass(frozen=True)
class SmallObjects:
    """What is made.

    Attributes:
        videos: to train on, and ``validation`` others, over backgrounds that no training video has.
        frames: of each video.
        size: (width, height).
        objects: fewest and most in a video.
        sides: smallest and largest side of an object, in samples; small ones are more frequent (evenly in logarithms).
        speed: largest, in samples a frame.
        seed: of everything; the same gives the same files.
    """

    videos: int = 40
    validation: int = 8
    frames: int = 24
    size: tuple[int, int] = (480, 272)
    objects: tuple[int, int] = (3, 8)
    sides: tuple[float, float] = (9.0, 64.0)
    speed: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.videos, self.validation, self.frames) < 1:
            raise UsageError(
                f"videos = {self.videos}, validation = {self.validation}, frames = {self.frames}: 1 or more are needed"
            )
        if not 1 <= self.objects[0] <= self.objects[1] <= 100:
            raise UsageError(f"objects = {self.objects}: two rising numbers within 1..100 are needed")
        if not 4 <= self.sides[0] <= self.sides[1] <= min(self.size) / 2:
            raise UsageError(f"sides = {self.sides}: two rising numbers from 4 to half of {self.size} are needed")


def make_small_objects(
    backgrounds: Sequence[Path],
    folder: Path,
    settings: SmallObjects,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write ``train`` and ``val``, each with ``images/VIDEO/FRAME.jpg`` and ``annotations.json`` in CocoVID's form.

    Args:
        backgrounds: videos, or folders of them. The last ones by name, at least one and up to a fifth, are for
            validation.

    Raises:
        UsageError: there are too few backgrounds, or the folder is not empty.
        DataError: a video cannot be read, or a file not written.
    """
    files = background_files(backgrounds)
    kept = max(1, min(settings.validation, len(files) // 5))
    total, done = settings.videos + settings.validation, 0
    reader = BackgroundReader(settings.size)
    with whole_folder(folder) as partial:
        for number, (part, own, count) in enumerate(
            (("train", files[:-kept], settings.videos), ("val", files[-kept:], settings.validation))
        ):
            writer = _CocoWriter(partial / part)
            for video in range(count):
                generator = np.random.default_rng((settings.seed, number, video))
                background = own[video % len(own)]
                texture = files[(video + 1 + int(generator.integers(len(files) - 1))) % len(files)]
                _make_video(writer, f"{video:04}", reader, background, texture, settings, generator)
                done += 1
                progress(done, total)
            writer.close()


def _make_video(
    writer: _CocoWriter,
    name: str,
    reader: BackgroundReader,
    background: Path,
    texture: Path,
    settings: SmallObjects,
    generator: np.random.Generator,
) -> None:
    frames = reader.read(background, settings.frames, generator)
    cuts = reader.read(texture, 1, generator)[0]
    items = [_Moving(cuts, settings, generator) for _ in range(generator.integers(*settings.objects, endpoint=True))]
    items.sort(key=lambda item: item.side, reverse=True)
    writer.begin(name, settings.size)
    for time, frame in enumerate(frames):
        owner = np.full(frame.shape[:2], -1)
        drawn = []
        for number, item in enumerate(items):
            side = item.side * (1 + 0.15 * math.sin(item.phase + 0.2 * time))
            cover, (left, top) = draw_shape(frame, item.look, item.place(time), side, item.angle + item.turn * time)
            drawn.append((int((cover > 0.5).sum()), left, top))
            rows = np.arange(top, top + cover.shape[0])
            columns = np.arange(left, left + cover.shape[1])
            in_rows, in_columns = (
                (rows >= 0) & (rows < frame.shape[0]),
                (columns >= 0) & (columns < frame.shape[1]),
            )
            part = owner[np.ix_(rows[in_rows], columns[in_columns])]
            part[cover[np.ix_(in_rows, in_columns)] > 0.5] = number
            owner[np.ix_(rows[in_rows], columns[in_columns])] = part
        writer.frame(
            frame, [_label(owner == n, SHAPES.index(items[n].look.shape), drawn[n][0]) for n in range(len(items))]
        )


def _label(shown: NDArray[np.bool_], kind: int, whole: int) -> dict[str, Any] | None:
    """What is said of an object that covers ``whole`` samples, of which some are seen; None where none are."""
    lines, columns = shown.any(1).nonzero()[0], shown.any(0).nonzero()[0]
    if not len(lines):
        return None
    left, top = int(columns[0]), int(lines[0])
    box = [left, top, int(columns[-1]) + 1 - left, int(lines[-1]) + 1 - top]
    crowd = int(shown.sum() < LEAST_VISIBLE * whole)
    return {"category_id": kind + 1, "bbox": box, "area": box[2] * box[3], "iscrowd": crowd}


class _Moving:
    """An object on its way through a video: straight on, and back from the borders."""

    def __init__(self, cuts: NDArray[np.uint8], settings: SmallObjects, generator: np.random.Generator) -> None:
        low, high = np.log(settings.sides)
        self.side = float(np.exp(generator.uniform(low, high)))
        tint = generator.uniform(0, 255, 3)
        tint = np.where(np.arange(3) == generator.integers(3), 255 - 40 * generator.random(), tint)
        texture = cut_texture(cuts, max(8, round(self.side)), generator)
        shape = SHAPES[int(generator.integers(len(SHAPES)))]
        self.look = TexturedShape(shape, texture, tint.astype(np.float32))
        self._room = np.array(settings.size) - self.side
        self._start = generator.uniform(0, 1, 2) * self._room
        direction, speed = generator.uniform(0, 2 * math.pi), generator.uniform(0.1, 1) * settings.speed
        self._step = speed * np.array([math.cos(direction), math.sin(direction)])
        self.phase = generator.uniform(0, 2 * math.pi)
        self.angle, self.turn = generator.uniform(-0.3, 0.3), generator.uniform(-0.02, 0.02)

    def place(self, time: int) -> tuple[float, float]:
        """Centre (x, y)."""
        gone = (self._start + time * self._step) % (2 * self._room)
        x, y = np.minimum(gone, 2 * self._room - gone) + self.side / 2
        return float(x), float(y)


class _CocoWriter:
    """Pictures and ``annotations.json`` of a part."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._videos: list[dict[str, Any]] = []
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def begin(self, name: str, size: tuple[int, int]) -> None:
        """A video begins."""
        (self._folder / "images" / name).mkdir(parents=True)
        width, height = size
        self._videos.append({"id": len(self._videos) + 1, "name": name, "width": width, "height": height})
        self._frame = 0

    def frame(self, frame: NDArray[np.uint8], labels: Sequence[dict[str, Any] | None]) -> None:
        """Its next frame, and what is in it."""
        video = self._videos[-1]
        name = f"{video['name']}/{self._frame:05}.jpg"
        Image.fromarray(frame).save(self._folder / "images" / name, quality=JPEG_QUALITY)
        image = {"id": len(self._images) + 1, "file_name": name, "video_id": video["id"], "frame_id": self._frame}
        self._images.append(image | {"width": video["width"], "height": video["height"]})
        self._frame += 1
        for track, label in enumerate(labels):
            if label is not None:
                place = {"id": len(self._annotations) + 1, "image_id": image["id"], "instance_id": track}
                self._annotations.append(place | label)

    def close(self) -> None:
        """Write the file."""
        values = {
            "videos": self._videos,
            "images": self._images,
            "annotations": self._annotations,
            "categories": [{"id": number, "name": name} for number, name in enumerate(SHAPES, 1)],
        }
        (self._folder / "annotations.json").write_text(json.dumps(values) + "\n")
