"""DAVIS as it unpacks: sequences of pictures, and masks of what moves in them.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError, UsageError
from scaleflow.roi.mask_sources.mask_file import mask_values
from scaleflow.training.data.augmentation import crop_at_random, mirror_at_random
from scaleflow.training.data.clip import Clip, ClipRequest, Plane, stack_pictures
from scaleflow.training.data.clip_reader import reopen_video

PICTURES, MASKS = "JPEGImages", "Annotations"


class DavisSource:
    """A :class:`scaleflow.training.data.clip.ClipSource` whose clips have masks: a place is a sequence.

    Pictures are taken at their own size, and crops so that they meet the region.
    """

    def __init__(self, folder: Path) -> None:
        """List the pictures of ``folder``, and the masks that have their names.

        Raises:
            UsageError: the folder is not what DAVIS unpacks to.
            DataError: a picture has no mask.
        """
        resolutions = sorted((folder / PICTURES).glob("[!.]*")) if (folder / PICTURES).is_dir() else []
        if len(resolutions) != 1 or not (folder / MASKS / resolutions[0].name).is_dir():
            raise UsageError(
                f"{folder}: is no DAVIS: expected {PICTURES}/480p/SEQUENCE/00000.jpg and {MASKS}/480p/SEQUENCE/"
                "00000.png, of one resolution"
            )
        self._sequences = []
        for sequence in sorted(path for path in resolutions[0].iterdir() if path.is_dir()):
            masks = folder / MASKS / resolutions[0].name / sequence.name
            pairs = [(path, masks / f"{path.stem}.png") for path in sorted(sequence.glob("[!.]*.jpg"))]
            missing = [mask for _, mask in pairs if not mask.is_file()]
            if missing:
                raise DataError(f"{missing[0]}: is missing, though {PICTURES} has its picture; unpack DAVIS again")
            if pairs:
                self._sequences.append(pairs)
        if not self._sequences:
            raise DataError(f"{resolutions[0]}: holds no sequence of .jpg pictures")

    def __len__(self) -> int:
        return len(self._sequences)

    def weights(self) -> Sequence[float]:
        """By the number of pictures."""
        return [float(len(pairs)) for pairs in self._sequences]

    def file_of(self, index: int) -> Path:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        return self._sequences[index][0][0].parent

    def describe(self) -> str:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        return f"{len(self)} sequences of DAVIS with their masks, {sum(map(len, self._sequences))} pictures."

    def read(self, index: int, request: ClipRequest, generator: np.random.Generator) -> Clip:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        pairs = self._sequences[index]
        if request.frames > len(pairs):
            raise DataError(f"{self.file_of(index)}: has {len(pairs)} pictures, {request.frames} are asked for")
        largest = (len(pairs) - 1) // max(1, request.frames - 1)
        stride = int(generator.integers(1, min(request.stride, largest) + 1))
        first = int(generator.integers(len(pairs) - (request.frames - 1) * stride))
        pictures, masks = [], []
        for picture, mask in pairs[first : first + (request.frames - 1) * stride + 1 : stride]:
            with reopen_video(picture, request.working_format) as reader:
                pictures.append(next(iter(reader)).planes)
            masks.append(_read_mask(mask))
        planes = stack_pictures(pictures, request.working_format).planes
        if any(mask.shape != planes[0].shape[2:] for mask in masks):
            raise DataError(f"{self.file_of(index)}: has pictures and masks of different sizes")
        try:
            clip = crop_at_random(Clip(planes, np.stack(masks)[:, None]), request, generator)
        except DataError as error:
            raise DataError(f"{self.file_of(index)}: {error}") from None
        return mirror_at_random(clip, request, generator)


def _read_mask(path: Path) -> Plane:
    with open_video(path, threads=1) as reader:
        inside: Plane = (mask_values(next(reader.samples()), reader.properties) >= 0.5).astype(np.uint8)
        return inside
