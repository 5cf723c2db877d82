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
        """The number of a picture (height, width, 3) in ``images``."""
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
        left, right, original: numbers of pictures in ``EmbeddedPictures.images``, one for each of the trial's; the
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
        of_clip = {place: trial for place, trial in enumerate(trials) if trial.left.clip.content == content}
        clip = next(iter(of_clip.values())).left.clip
        if progress is not None:
            progress(clip.name, number, len(contents))
        pictures = _ClipPictures(folder, clip, list(of_clip.values()), models)
        for place, trial in of_clip.items():
            if pictures.has(trial):
                shown[place] = pictures.show(trial, embedded)
        for problem in pictures.problems:
            logger.warning("the blind test leaves out a stream: %s", problem)
        problems += pictures.problems
    if not shown:
        raise DataError(f"no pair could be decoded: {problems[0]}")
    return [shown[place] for place in sorted(shown)]


_Shown = tuple[str, str, str]
"""Whose pictures they are: codec, setting and stream, as one stream may be decoded in several ways."""

_ORIGINAL: _Shown = ("", "", "")


def _shown_by(point: RatePoint) -> _Shown:
    return point.codec, point.setting, point.stream


class _ClipPictures:
    """What the trials of a clip show. Of moving clips only the part that is shown is kept."""

    def __init__(self, folder: Path, clip: EvaluatedClip, trials: Sequence[Trial], models: CachedModels) -> None:
        self.problems: list[str] = []
        self._clip = clip
        self._stills: dict[_Shown, dict[int, Rgb]] = {}
        self._moving: dict[_Shown, dict[int, Rgb]] = {}
        self._moving_part = middle_part(clip.width, clip.height, MOVING_SIZE)
        needed = _Needed.of(trials)
        try:
            original = read_original(clip, needed.numbers).pictures
        except ScaleFlowError as error:
            logger.warning("%s: the blind test does not show its original: %s", clip.name, error)
        else:
            if needed.moving:
                self._moving_part = moving_part([original[number] for number in sorted(needed.moving)])
            self._keep(_ORIGINAL, original, needed)
        points = {_shown_by(point): point for trial in trials for point in (trial.left, trial.right)}
        for key, point in points.items():
            needed = _Needed.of([trial for trial in trials if key in (_shown_by(trial.left), _shown_by(trial.right))])
            try:
                self._keep(key, _decode(folder, point, needed.numbers, models), needed)
            except ScaleFlowError as error:
                self.problems.append(str(error))

    def _keep(self, key: _Shown, pictures: dict[int, Rgb], needed: _Needed) -> None:
        part = self._moving_part
        self._stills[key] = {number: pictures[number] for number in needed.still}
        self._moving[key] = {number: part.of(pictures[number]).copy() for number in needed.moving}

    def has(self, trial: Trial) -> bool:
        """Whether both sides could be decoded."""
        return {_shown_by(trial.left), _shown_by(trial.right)} <= self._stills.keys()

    def show(self, trial: Trial, embedded: EmbeddedPictures) -> ShownTrial:
        """The pictures of a trial that there are."""
        sides = (_shown_by(trial.left), _shown_by(trial.right), _ORIGINAL)
        kept = self._moving if trial.mode == "moving" else self._stills
        left, right, original = (kept.get(side, {}) for side in sides)
        if trial.mode == "moving":
            part = self._moving_part
            within = Part(0, 0, part.width, part.height)
        elif trial.mode == "zoom":
            (number,) = trial.numbers
            part = within = zoomed_part(left[number], right[number])
        else:
            part = within = middle_part(self._clip.width, self._clip.height, STILL_SIZE)

        def embed(pictures: dict[int, Rgb]) -> list[int]:
            return [embedded.add(within.of(pictures[number])) for number in trial.numbers]

        return ShownTrial(trial, part, embed(left), embed(right), embed(original) if original else None)


@dataclass(frozen=True)
class _Needed:
    """Numbers of the pictures that trials show, as stills and parts of these, and in motion."""

    still: frozenset[int]
    moving: frozenset[int]

    @classmethod
    def of(cls, trials: Sequence[Trial]) -> _Needed:
        def numbers(moves: bool) -> frozenset[int]:
            return frozenset(n for trial in trials if (trial.mode == "moving") is moves for n in trial.numbers)

        return cls(numbers(False), numbers(True))

    @property
    def numbers(self) -> list[int]:
        return sorted(self.still | self.moving)


def _decode(folder: Path, point: RatePoint, numbers: Sequence[int], models: CachedModels) -> dict[int, Rgb]:
    path = folder / point.stream
    found = read_pictures(path, numbers, models.as_measured(point))
    if path.stat().st_size != point.file_bytes:
        raise DataError(f"{path}: is not what was measured: it has not the size that its point says")
    if (found.width, found.height) != (point.clip.width, point.clip.height):
        raise DataError(f"{path}: has pictures of another size than its clip")
    return found.pictures
