"""The clips of a data set in a folder, checked against what the data set should hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from scaleflow.codec.video.picture_sequence import PICTURE_SUFFIXES
from scaleflow.codec.video.raw_format import RawVideoFormat
from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.datasets.catalog import DATASETS, Dataset, ExpectedClip, Kind

_MOST_NAMED = 6
"""Problems that a message spells out; the rest are counted."""


@dataclass(frozen=True)
class EvaluationClip:
    """A clip that is there, and how to open it: ``open_video(path, raw=raw, frame_rate=frame_rate)``.

    Attributes:
        name: without folder and suffix.
        path: of the file or of the folder of pictures.
        width, height: in pixels.
        frames: how many pictures.
        raw: form of a raw file, None of others.
        frame_rate: of pictures, which have no times; None of raw files, whose form has it.
    """

    name: str
    path: Path
    width: int
    height: int
    frames: int
    raw: RawVideoFormat | None
    frame_rate: Fraction | None


def open_dataset(name: str, folder: Path, *, partial: bool = False) -> list[EvaluationClip]:
    """Find the clips of a data set and check their sizes and numbers of pictures.

    Args:
        name: a key of :data:`~scaleflow.evaluation.datasets.catalog.DATASETS`; upper case, blanks and underscores make
            no difference.
        folder: with the raw files or stills in it; of DAVIS the one that holds ``JPEGImages``.
        partial: take what is there. What is there must be right all the same.

    Raises:
        UsageError: there is no such data set or folder.
        DataError: clips are missing or differ; names them, and where the data set comes from.
    """
    dataset = DATASETS.get("-".join(name.lower().replace("_", " ").replace("-", " ").split()))
    if dataset is None:
        raise UsageError(f"there is no data set {name!r}; there are {', '.join(DATASETS)}")
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder; {dataset.title} comes from {dataset.url}")
    find = _FINDERS[dataset.kind]
    clips, problems, missing = [], [], []
    for expected in dataset.clips:
        path = folder / expected.path
        if not path.exists():
            missing.append(f"{expected.path} is missing")
            continue
        try:
            clips.append(find(dataset, expected, path))
        except DataError as error:
            problems.append(str(error))
    if not partial or not (clips or problems):
        problems += missing
    if problems:
        named = "; ".join(problems[:_MOST_NAMED])
        more = f"; and {len(problems) - _MOST_NAMED} more" if len(problems) > _MOST_NAMED else ""
        raise DataError(
            f"{folder}: does not hold {dataset.title} as it is published: {named}{more}; it comes from {dataset.url}"
        )
    return clips


def _find_raw(dataset: Dataset, expected: ExpectedClip, path: Path) -> EvaluationClip:
    raw = expected.raw_format
    if not path.is_file():
        raise DataError(f"{expected.path} is no file")
    found, left_over = divmod(path.stat().st_size, raw.frame_size)
    if left_over or not expected.frames <= found <= expected.frames + dataset.spare_frames:
        part = f" and {left_over} bytes" if left_over else ""
        raise DataError(
            f"{expected.path} has {found} pictures{part} of {raw.width}x{raw.height}, not {expected.frames}"
        )
    return EvaluationClip(path.stem, path, raw.width, raw.height, expected.frames, raw, None)


def _find_pictures(dataset: Dataset, expected: ExpectedClip, path: Path) -> EvaluationClip:
    if not path.is_dir():
        raise DataError(f"{expected.path} is no folder")
    found = sum(file.suffix.lower() in PICTURE_SUFFIXES for file in path.glob("[!.]*"))
    if found != expected.frames:
        raise DataError(f"{expected.path} has {found} pictures, not {expected.frames}")
    size = _picture_size(path)
    if size != (expected.width, expected.height):
        raise DataError(f"{expected.path} is {size[0]}x{size[1]}, not {expected.width}x{expected.height}")
    return EvaluationClip(path.name, path, *size, found, None, expected.frame_rate)


def _find_still(dataset: Dataset, expected: ExpectedClip, path: Path) -> EvaluationClip:
    size = _picture_size(path)
    if sorted(size) != sorted((expected.width, expected.height)):
        raise DataError(f"{expected.path} is {size[0]}x{size[1]}, not {expected.width}x{expected.height}")
    return EvaluationClip(path.stem, path, *size, 1, None, expected.frame_rate)


def _picture_size(path: Path) -> tuple[int, int]:
    with open_video(path, working_format="rgb") as reader:
        return reader.properties.width, reader.properties.height


_FINDERS: dict[Kind, Callable[[Dataset, ExpectedClip, Path], EvaluationClip]] = {
    "raw": _find_raw,
    "pictures": _find_pictures,
    "stills": _find_still,
}
