"""A folder of videos: clips are decoded when they are asked for, with the help of an index that is built once."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.picture import Planes
from scaleflow.errors import DataError, UsageError
from scaleflow.training.data.augmentation import crop_at_random, mirror_at_random
from scaleflow.training.data.clip import Clip, ClipRequest, Plane, stack_pictures
from scaleflow.training.data.clip_reader import reopen_video
from scaleflow.training.data.video_index import VideoRecord, index_folder

logger = logging.getLogger(__name__)

HALVE_FROM = 360
"""Lines from which compressed sources are halved, which removes most of their artefacts."""

LEAST_MOTION = 1.0
STILL_WEIGHT = 0.15
"""Below that mean absolute change (of 255) a place teaches little, and is taken this much less often."""

BACKWARDS = (0, 16)
"""Pictures before the wanted one to seek to; a second try goes back further than pictures are reordered."""

PLACE_LENGTH = 16
"""Pictures from one place to the next."""


class VideoFolder:
    """A :class:`scaleflow.training.data.clip.ClipSource`: places are spread evenly over the scenes of all videos of a
    folder.

    A clip lies within one scene. Videos whose names begin alike (takes of one scene) share the weight of one and a
    half. Compressed sources of 360 lines and more are reduced by two, by area.
    """

    def __init__(self, folder: Path, crop: int, *, halve: bool = True, index_path: Path | None = None) -> None:
        """Read or build the index; videos smaller than ``crop`` are named, left out and counted.

        Raises:
            UsageError: there is no such folder.
            DataError: it holds no video that can be read, or all are too small.
        """
        if not folder.is_dir():
            raise UsageError(f"{folder}: there is no such folder of videos")
        self._folder, self._halve = folder, halve
        readable = index_folder(folder, index_path)
        if not readable:
            raise DataError(f"{folder}: holds no video that can be read")
        self._records = [record for record in readable if min(record.width, record.height) >= crop]
        small = [record.name for record in readable if min(record.width, record.height) < crop]
        if small:
            logger.warning("left out, too small for crops of %d: %s", crop, ", ".join(small))
            logger.warning("%s: %d of %d videos are too small", folder, len(small), len(readable))
        self._places = [
            (video, first)
            for video, record in enumerate(self._records)
            for start, end in record.scenes()
            for first in range(start, max(start + 1, end - PLACE_LENGTH // 2), PLACE_LENGTH)
        ]
        if not self._places:
            raise DataError(f"{folder}: all {len(readable)} videos are too small for crops of {crop}: lower data.crop")

    def __len__(self) -> int:
        return len(self._places)

    def weights(self) -> Sequence[float]:
        """By motion; each video's weights sum to its share."""
        raw = np.array([self._motion_weight(video, first) for video, first in self._places])
        owner = np.array([video for video, _ in self._places])
        takes = [_take(record) for record in self._records]
        number = Counter(takes)
        shares = np.array([1.0 if number[take] == 1 else 1.5 / number[take] for take in takes])
        return [float(weight) for weight in raw * (shares / np.bincount(owner, raw))[owner]]

    def file_of(self, index: int) -> Path:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        return self._folder / self._records[self._places[index][0]].name

    def describe(self) -> str:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        pictures = sum(record.pictures for record in self._records)
        return f"{len(self._records)} videos with {pictures} pictures in {len(self)} places, weighted by motion."

    def read(self, index: int, request: ClipRequest, generator: np.random.Generator) -> Clip:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        video, first = self._places[index]
        record = self._records[video]
        start, end = record.scene_of(first)
        spread = max(1, request.frames - 1)
        stride = int(generator.integers(1, max(1, min(request.stride, (end - start - 1) // spread)) + 1))
        length = (request.frames - 1) * stride + 1
        latest = max(start, min(first + PLACE_LENGTH - 1, end - length))
        first = int(generator.integers(min(first, latest), latest + 1))
        # scenes that are too short end with their last picture, repeated
        numbers = [min(first + n * stride, end - 1) for n in range(request.frames)]
        planes = self._decode(record, numbers, request)
        try:
            return mirror_at_random(crop_at_random(planes, request, generator), request, generator)
        except DataError as error:
            raise DataError(f"{self._folder / record.name}: {error}") from None

    def _decode(self, record: VideoRecord, numbers: list[int], request: ClipRequest) -> Clip:
        path = self._folder / record.name
        starts = [max(0, numbers[0] - before) for before in BACKWARDS] if record.seekable else []
        tries = (_pictures_from(path, record, start, numbers, request) for start in dict.fromkeys([*starts, 0]))
        pictures = next((found for found in tries if found is not None), None)
        if pictures is None:
            raise DataError(
                f"{path}: holds other pictures than when it was indexed; files that have changed are indexed again "
                "when training starts"
            )
        clip = stack_pictures([pictures[n] for n in numbers], request.working_format)
        halves = self._halve and record.height >= HALVE_FROM and min(record.height, record.width) >= 2 * request.crop
        return Clip(tuple(halve_area(plane) for plane in clip.planes)) if halves else clip

    def _motion_weight(self, video: int, first: int) -> float:
        record = self._records[video]
        _, end = record.scene_of(first)
        changes = record.changes[first + 1 : min(end, first + PLACE_LENGTH)]
        motion = float(np.mean(changes)) if changes else 0.0
        return 1.0 if motion >= LEAST_MOTION else STILL_WEIGHT


def _take(record: VideoRecord) -> tuple[str, str]:
    """What takes of one scene have in common: the folder, and how the file's name begins."""
    path = PurePosixPath(record.name)
    return str(path.parent), path.name[:9]


def _pictures_from(
    path: Path, record: VideoRecord, first: int, numbers: list[int], request: ClipRequest
) -> dict[int, Planes] | None:
    """The numbered pictures, sought from picture ``first`` on; None where what is decoded is not what the index has.

    Where groups of pictures are open, seeking to the last ones before a key picture arrives at the key picture.
    """
    pictures: dict[int, Planes] = {}
    with reopen_video(path, request.working_format) as reader:
        if first:
            reader.skip_to(record.times[first])
        number = None
        for picture in reader:
            number = bisect_left(record.times, picture.pts) if number is None else number + 1
            skipped = not pictures and number > numbers[0]
            if skipped or number >= record.pictures or picture.pts != record.times[number]:
                return None
            if number in numbers:
                pictures[number] = picture.planes
            if number == numbers[-1]:
                return pictures
    return None


def halve_area(plane: Plane) -> Plane:
    """Means of 2x2 samples, rounded, of the last two dimensions; an odd last row or column is left out."""
    height, width = plane.shape[2] // 2 * 2, plane.shape[3] // 2 * 2
    even = plane[:, :, :height, :width].astype(np.uint16)
    total: NDArray[np.uint16] = (
        even[..., ::2, ::2] + even[..., 1::2, ::2] + even[..., ::2, 1::2] + even[..., 1::2, 1::2]
    )
    return ((total + 2) >> 2).astype(np.uint8)
