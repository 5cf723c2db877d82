"""Videos that a network is measured on: labelled frames, the same frames coded and decoded, or any video."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scaleflow.codec.decoding.stream_model import load_stream_model
from scaleflow.codec.models.picture_change import PictureChange
from scaleflow.codec.video.reader import open_video
from scaleflow.efficient_nets.data.labelled_frames import LabelledData, LabelledFrame
from scaleflow.efficient_nets.data.video_pictures import read_pictures
from scaleflow.efficient_nets.tasks.task import PictureTask, Task
from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.file_hash import file_hash
from scaleflow.evaluation.networks.coded_video import CodedVideo, LoadModel

NO_CHANGES = (
    "codec-gates: only an .sfv file says what changed, {}: encode the pictures, and name the .sfv file as coded"
)


@dataclass(frozen=True)
class EvaluatedVideo:
    """A video.

    Attributes:
        name: for results.
        pictures: reads the frames (3, H, W), RGB in 0..1, in their order.
        targets: reads what should be found in each frame; empty where that is not known.
        changes: gives what the decoder says of how each frame differs from the one before, None for key pictures;
            raises :class:`UsageError` where the frames are of no ``.sfv`` file.
    """

    name: str
    pictures: Callable[[], Iterator[Tensor]]
    targets: tuple[Callable[[], Tensor], ...]
    changes: Callable[[], Iterator[PictureChange | None]]


@dataclass(frozen=True)
class StreamDecoding:
    """How ``.sfv`` files are decoded, where not as they say themselves.

    Attributes:
        load: gives the model, with the decoder that shows its pictures.
        name: tells results by it from others; empty of what streams say themselves.
    """

    load: LoadModel = load_stream_model
    name: str = ""


AS_STREAMS_SAY = StreamDecoding()
"""The shipped model or the one in the weights folder, for fidelity."""


@dataclass(frozen=True)
class EvaluatedData:
    """Videos, and what identifies them.

    Attributes:
        place: where they were found, as given.
        content: of names, files and their number, as a short hash.
    """

    place: str
    videos: tuple[EvaluatedVideo, ...]
    content: str


def labelled_videos(
    data: LabelledData,
    frames: int | None,
    first: int = 0,
    coded: Path | None = None,
    decoding: StreamDecoding = AS_STREAMS_SAY,
) -> EvaluatedData:
    """Videos with labels.

    Args:
        frames: most of each video.
        first: number of the first one, of each video.
        coded: a video or an ``.sfv`` file with the same pictures, which are taken from there.
        decoding: of an ``.sfv`` file.

    Raises:
        UsageError: ``coded`` does not go with several videos, or is not there.
    """
    videos = data.videos()
    if coded is not None and len(videos) > 1:
        raise UsageError(
            f"coded {coded}: {data.place} holds {len(videos)} videos: choose one with only", fields=("coded", "only")
        )
    end = None if frames is None else first + frames
    names = [frame.full_name for group in videos.values() for frame in group[first:end]]
    if not names:
        raise UsageError(f"first {first}: no video of {data.place} has as many frames", fields=("first",))
    found = []
    for name, group in videos.items():
        chosen = group[first:end]
        targets = tuple(frame.target for frame in chosen)
        if chosen and coded is None:
            pictures = _PictureFiles(chosen)
            found.append(EvaluatedVideo(name, pictures, targets, pictures.changes))
        elif chosen and coded is not None:
            video = _VideoFile.open(coded, first, len(chosen), decoding, exact=True)
            found.append(EvaluatedVideo(name, video, targets, video.changes))
    place = f"{data.place}, {data.condition}" if data.condition else data.place
    return EvaluatedData(place, tuple(found), _content([*names, *filter(None, [data.condition, decoding.name])], coded))


def unlabelled_video(
    path: Path, frames: int | None, first: int = 0, decoding: StreamDecoding = AS_STREAMS_SAY
) -> EvaluatedData:
    """Any video, of which nothing is known but what the dense network finds. Raises as :func:`labelled_videos`."""
    file = _VideoFile.open(path, first, frames, decoding)
    video = EvaluatedVideo(path.stem, file, (), file.changes)
    names = [str(first), str(frames), *filter(None, [decoding.name])]
    return EvaluatedData(str(path), (video,), _content(names, path))


def open_evaluated(
    task: Task,
    path: Path,
    *,
    only: Sequence[str] = (),
    first: int = 0,
    frames: int | None = None,
    coded: Path | None = None,
    decoding: StreamDecoding = AS_STREAMS_SAY,
) -> tuple[EvaluatedData, tuple[str, ...]]:
    """Data for a task, and its classes (none of a video without labels).

    Raises:
        UsageError: there is nothing there, it has another layout, or there is no stream that ``decoding`` is of.
        DataError: it is empty or malformed.
    """
    streams = [file for file in (path, coded) if file is not None and file.suffix == ".sfv"]
    if decoding.name and not streams:
        raise UsageError("decoder, model and weights are of .sfv files: give one as coded", fields=("coded",))
    if isinstance(task, PictureTask):
        if coded is not None:
            raise UsageError(
                f"coded {coded}: {task.name} is measured against the pictures that it is shown", fields=("coded",)
            )
    elif path.is_file() and path.suffix != ".json":
        if only or coded is not None:
            raise UsageError(f"{path}: a video without labels goes without only and coded", fields=("only", "coded"))
        return unlabelled_video(path, frames, first, decoding), ()
    data = task.open(path, "val")
    data = data.chosen(only) if only else data
    return labelled_videos(data, frames, first, coded, decoding), data.classes


@dataclass(frozen=True)
class _PictureFiles:
    frames: Sequence[LabelledFrame]

    def __call__(self) -> Iterator[Tensor]:
        return read_pictures(self.frames)

    def changes(self) -> Iterator[PictureChange | None]:
        """See :class:`EvaluatedVideo`."""
        raise UsageError(NO_CHANGES.format("these are picture files"), fields=("coded",))


@dataclass(frozen=True)
class _VideoFile:
    """Pictures of a video, for :class:`EvaluatedVideo`.

    Attributes:
        path: of the video, or of what ``coded`` decodes.
        first: number of the first picture.
        frames: most pictures; with ``exact`` no fewer, either.
        coded: what decodes them, where the file is not read as it is.
    """

    path: Path
    first: int
    frames: int | None
    coded: CodedVideo | None
    exact: bool = False

    @classmethod
    def open(
        cls, path: Path, first: int, frames: int | None, decoding: StreamDecoding, *, exact: bool = False
    ) -> _VideoFile:
        end = None if frames is None else first + frames
        coded = CodedVideo(path, end, decoding.load) if path.suffix == ".sfv" else None
        return cls(path, first, frames, coded, exact)

    def __call__(self) -> Iterator[Tensor]:
        return self._read(self.path if self.coded is None else self.coded.decoded())

    def changes(self) -> Iterator[PictureChange | None]:
        """See :class:`EvaluatedVideo`."""
        if self.coded is None:
            raise UsageError(NO_CHANGES.format(f"{self.path} is none"), fields=("coded",))
        # Of the one before the first, the network has seen nothing.
        return chain([None], self.coded.changes()[self.first + 1 :])

    def _read(self, path: Path) -> Iterator[Tensor]:
        count = 0
        with open_video(path, working_format="rgb") as reader:
            scale = 2**reader.properties.bit_depth - 1
            end = None if self.frames is None else self.first + self.frames
            for picture in islice(reader, self.first, end):
                count += 1
                yield torch.from_numpy(np.stack(picture.planes).astype(np.float32) / scale)
        if self.exact and count != self.frames:
            raise DataError(f"{self.path}: has {self.first + count} pictures, the labels are of {end}")
        if not count:
            raise UsageError(f"{self.path}: has no picture {self.first}: use a smaller first", fields=("first",))


def _content(names: Sequence[str], file: Path | None) -> str:
    if file is not None and not file.is_file():
        raise UsageError(f"{file}: there is no such file")
    identity = repr((list(names), file_hash(file) if file is not None else ""))
    return hashlib.sha256(identity.encode()).hexdigest()[:16]
