"""The pictures of trials, decoded from the streams of their points as those of reports are."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scaleflow.errors import DataError, ScaleFlowError
from scaleflow.evaluation.blind_test.parts import MOVING_SIZE, STILL_SIZE, Part, middle_part, moving_part, zoomed_part
from scaleflow.evaluation.blind_test.trials import Trial
from scaleflow.evaluation.rate_distortion.point import EvaluatedClip, RatePoint
from scaleflow.evaluation.report.clip_pictures import data_uri
from scaleflow.evaluation.report.stream_pictures import CachedModels, Rgb, read_original, read_pictures

logger = logging.getLogger(__name__)


class EmbeddedPictures:
    """Pictures as data URIs, each once: trials share originals, and what one codec made of a clip."""

    def __init__(self) -> None:
        self.images: list[str] = []
        self._numbers: dict[bytes, int] = {}

    def add(self, picture: Rgb) -> int:
        """The number of a picture (height, width, 3) in :attr:`images`."""
        key = hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).digest()
        if key not in self._numbers:
            self._numbers[key] = len(self.images)
            self.images.append(data_uri(picture, method=2))
        return self._numbers[key]


@dataclass(frozen=True)
class ShownTrial:
    """A trial with its pictures.

    Attributes:
        part: of the pictures that is shown.
        left, right, original: numbers of pictures in :attr:`EmbeddedPictures.images`, one for each of the trial's; the
            original is None where it has gone.
    """

    trial: Trial
    part: Part
    left: list[int]
    right: list[int]
    original: list[int] | None


def show_trials(
    folder: Path,
    trials: Sequence[Trial],
    models: CachedModels,
    embedded: EmbeddedPictures,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[ShownTrial]:
    """Trials with their pictures, in the same order. Those of streams that cannot be decoded are left out, and named.

    Args:
        progress: as of :func:`scaleflow.evaluation.blind_test.html_file.write_blind_test`.

    Raises:
        DataError: none can be decoded.
    """
    shown: dict[int, ShownTrial] = {}
    problems: list[str] = []
    contents = list(dict.fromkeys(trial.left.clip.content for trial in trials))
    for number, content in enumerate(contents):
        of_clip = [trial for trial in trials if trial.left.clip.content == content]
        if progress is not None:
            progress(of_clip[0].left.clip.name, number, len(contents))
        clip = _ClipPictures(folder, of_clip, models)
        for trial in of_clip:
            sides = (trial.left.stream, trial.right.stream)
            if not any(side in clip.problems for side in sides):
                shown[id(trial)] = clip.show(trial, embedded)
        for stream, problem in clip.problems.items():
            logger.warning("%s: the blind test has no pictures of it: %s", stream, problem)
            problems.append(problem)
    if not shown:
        raise DataError(f"no pair could be decoded: {problems[0]}")
    return [shown[id(trial)] for trial in trials if id(trial) in shown]


class _ClipPictures:
    """What the trials of a clip show. Of moving clips only the part that is shown is kept."""

    def __init__(self, folder: Path, trials: Sequence[Trial], models: CachedModels) -> None:
        self._clip = trials[0].left.clip
        self.problems: dict[str, str] = {}
        self._kept: dict[tuple[str, str], dict[int, Rgb]] = {}
        self._moving = middle_part(self._clip.width, self._clip.height, MOVING_SIZE)
        numbers = _numbers_by_kind(trials)
        try:
            original = read_original(self._clip, sorted(numbers["still"] | numbers["moving"])).pictures
        except ScaleFlowError as error:
            logger.warning("%s: the blind test does not show its original: %s", self._clip.name, error)
        else:
            if numbers["moving"]:
                self._moving = moving_part([original[number] for number in sorted(numbers["moving"])])
            self._keep("", original, numbers)
        for point in {side.stream: side for trial in trials for side in (trial.left, trial.right)}.values():
            needed = _numbers_by_kind([trial for trial in trials if point in (trial.left, trial.right)])
            try:
                self._keep(point.stream, _decode(folder, point, self._clip, needed, models), needed)
            except ScaleFlowError as error:
                self.problems[point.stream] = str(error)

    def _keep(self, stream: str, pictures: dict[int, Rgb], numbers: dict[str, set[int]]) -> None:
        self._kept[stream, "still"] = {number: pictures[number] for number in numbers["still"]}
        self._kept[stream, "moving"] = {
            number: self._moving.of(pictures[number]).copy() for number in numbers["moving"]
        }

    def show(self, trial: Trial, embedded: EmbeddedPictures) -> ShownTrial:
        kind = "moving" if trial.mode == "moving" else "still"
        left, right = self._kept[trial.left.stream, kind], self._kept[trial.right.stream, kind]
        original = self._kept.get(("", kind))
        part = inside = self._moving
        if kind == "moving":
            inside = Part(0, 0, part.width, part.height)
        elif trial.mode == "zoom":
            (number,) = trial.numbers
            part = inside = zoomed_part(left[number], right[number])
        else:
            part = inside = middle_part(self._clip.width, self._clip.height, STILL_SIZE)

        def embed(pictures: dict[int, Rgb]) -> list[int]:
            return [embedded.add(inside.of(pictures[number])) for number in trial.numbers]

        return ShownTrial(trial, part, embed(left), embed(right), None if original is None else embed(original))


def _numbers_by_kind(trials: Sequence[Trial]) -> dict[str, set[int]]:
    """Numbers of pictures that are needed as a whole, and of those of moving clips."""
    return {
        "still": {number for trial in trials if trial.mode != "moving" for number in trial.numbers},
        "moving": {number for trial in trials if trial.mode == "moving" for number in trial.numbers},
    }


def _decode(
    folder: Path, point: RatePoint, clip: EvaluatedClip, numbers: dict[str, set[int]], models: CachedModels
) -> dict[int, Rgb]:
    path = folder / point.stream
    found = read_pictures(path, sorted(numbers["still"] | numbers["moving"]), models.choose)
    if path.stat().st_size != point.file_bytes:
        raise DataError(f"{path}: is not what was measured: it has not the size that its point says")
    if (found.width, found.height) != (clip.width, clip.height):
        raise DataError(f"{path}: has pictures of another size than its clip")
    return found.pictures
