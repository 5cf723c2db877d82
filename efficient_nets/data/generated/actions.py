"""Short videos of eight kinds of motion over real videos, in three grades of difficulty, for action recognition."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.codec.video.writer import open_output
from scaleflow.efficient_nets.data.action_clips import LIST
from scaleflow.efficient_nets.data.generated.backgrounds import BackgroundReader, background_files, cut_texture
from scaleflow.efficient_nets.data.generated.textured_shapes import TexturedShape, draw_shape
from scaleflow.errors import UsageError
from scaleflow.output_folder import whole_folder

ACTIONS = ("bounce", "down", "left", "right", "rotate", "stop-and-go", "up", "zoom")

GRADES = ("look", "wide", "brief")
"""How many frames tell the action.

``look``: one that shows the object, for its shape and its colour belong to the action. ``wide``: a few from all over
the clip, for the object looks as any other, and moves all the time. ``brief``: several, for it is there for a third of
the clip only, and moves then.
"""

BRIEF = 0.35
"""Share of a clip in which the object is there, of that grade."""

LOOKS = ("triangle", "square", "cross", "disc")
TINTS = ((230.0, 40.0, 40.0), (40.0, 90.0, 230.0))
"""Each action of the grade ``look`` has a shape and a tint of its own."""

RATE = Fraction(25)


@dataclass(frozen=True)
class Actions:
    """What is made.

    Attributes:
        clips: of each action to train on, and ``validation`` others, over other backgrounds. Grades take turns.
        frames: of each clip.
        size: (width, height), even.
        seed: of everything; the same gives the same pictures.
    """

    clips: int = 30
    validation: int = 9
    frames: int = 40
    size: tuple[int, int] = (112, 112)
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.clips, self.validation) < 1 or self.frames < 8:
            raise UsageError(
                f"clips = {self.clips}, validation = {self.validation}, frames = {self.frames}: 1, 1 and 8 or more "
                "are needed"
            )
        if min(self.size) < 64 or self.size[0] % 2 or self.size[1] % 2:
            raise UsageError(f"size = {self.size}: even sides of 64 and more are needed")


def make_actions(
    backgrounds: Sequence[Path],
    folder: Path,
    settings: Actions,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write ``train`` and ``val``, each with ``ACTION/NAME.mp4``, and ``clips.csv`` with the grade of each.

    Raises:
        UsageError, DataError: as :func:`scaleflow.efficient_nets.data.generated.small_objects.make_small_objects`.
    """
    files = background_files(backgrounds)
    kept = max(1, len(files) // 5)
    total, done = (settings.clips + settings.validation) * len(ACTIONS), 0
    reader = BackgroundReader(settings.size)
    with whole_folder(folder) as partial:
        for number, (part, own, count) in enumerate(
            (("train", files[:-kept], settings.clips), ("val", files[-kept:], settings.validation))
        ):
            rows = []
            for kind, action in enumerate(ACTIONS):
                (partial / part / action).mkdir(parents=True)
                for clip in range(count):
                    generator = np.random.default_rng((settings.seed, number, kind, clip))
                    grade = GRADES[clip % len(GRADES)]
                    background, texture = (files.index(own[int(generator.integers(len(own)))]) for _ in range(2))
                    frames = _make_clip(action, grade, reader, files[background], files[texture], settings, generator)
                    path = Path(action) / f"{clip:04}-{grade}.mp4"
                    _write(partial / part / path, frames)
                    rows.append((path.as_posix(), action, grade, files[background].name))
                    done += 1
                    progress(done, total)
            _write_list(partial / part / LIST, rows)


def _make_clip(
    action: str,
    grade: str,
    reader: BackgroundReader,
    background: Path,
    texture: Path,
    settings: Actions,
    generator: np.random.Generator,
) -> NDArray[np.uint8]:
    frames = reader.read(background, settings.frames, generator)
    cuts = reader.read(texture, 1, generator)[0]
    side = float(generator.uniform(0.24, 0.34)) * min(settings.size)
    look = ACTIONS.index(action) if grade == "look" else int(generator.integers(len(LOOKS) * len(TINTS)))
    tint = np.array(TINTS[look // len(LOOKS)], dtype=np.float32)
    item = TexturedShape(LOOKS[look % len(LOOKS)], cut_texture(cuts, max(8, round(side)), generator), tint)
    course = _Course(action, generator)
    shown = 1.0 if grade != "brief" else BRIEF
    start = float(generator.uniform(0, 1 - shown))
    middle, room = np.array(settings.size) / 2, np.array(settings.size) - side
    for number, frame in enumerate(frames):
        moment = (number / (len(frames) - 1) - start) / shown
        if 0 <= moment <= 1:
            (x, y), scale, angle = course.at(moment)
            centre = middle + np.array([x, y]) * room / 2
            draw_shape(frame, item, (float(centre[0]), float(centre[1])), side * scale, angle)
    return frames


class _Course:
    """How an object moves while it is there: place (-1 to 1 over the room that it has), scale and angle over time."""

    def __init__(self, action: str, generator: np.random.Generator) -> None:
        self._action = action
        self._aside = float(generator.uniform(-0.7, 0.7))
        self._angle = float(generator.uniform(-0.25, 0.25))
        self._reach = float(generator.uniform(0.75, 1.0))
        self._heading = int(generator.integers(4))
        self._turns = float(generator.choice([-1, 1]) * generator.uniform(1.0, 1.6))

    def at(self, moment: float) -> tuple[tuple[float, float], float, float]:
        """At 0..1: (x, y), scale, angle in radians."""
        along = self._reach * (2 * moment - 1)
        if self._action == "stop-and-go":
            # three runs with rests between, in any of the four directions
            run, part = divmod(min(moment, 0.999) * 3, 1)
            return self._headed(self._reach * (2 * (run + min(1.0, 2 * part)) / 3 - 1)), 1.0, self._angle
        if self._action in ("left", "right", "up", "down"):
            heading = ("right", "down", "left", "up").index(self._action)
            return self._headed(along, heading), 1.0, self._angle
        if self._action == "bounce":
            height = 1 - 2 * self._reach * abs(math.sin(3 * math.pi * moment))
            return (self._aside * (2 * moment - 1), height), 1.0, self._angle
        if self._action == "rotate":
            return (self._aside / 2, 0.0), 1.0, self._angle + 2 * math.pi * self._turns * moment
        return (self._aside / 4, 0.0), 0.5 + 1.3 * moment, self._angle

    def _headed(self, along: float, heading: int | None = None) -> tuple[float, float]:
        heading = self._heading if heading is None else heading
        along = along if heading < 2 else -along
        return (along, self._aside) if heading % 2 == 0 else (self._aside, along)


def _write(path: Path, frames: NDArray[np.uint8]) -> None:
    height, width = frames.shape[1:3]
    properties = VideoProperties(
        width, height, "yuv420p", 8, RATE, 1 / RATE, color_matrix="bt709", working_format="rgb"
    )
    with open_output(path, properties) as writer:
        for number, frame in enumerate(frames):
            planes = tuple(np.ascontiguousarray(frame[..., channel]) for channel in range(3))
            writer.write(Picture(planes, number))


def _write_list(path: Path, rows: Sequence[tuple[str, ...]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "action", "grade", "background"))
    writer.writerows(rows)
    path.write_text(text.getvalue())
