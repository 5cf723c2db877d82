"""Sample n of stage s: a pure function of (seed, s, n). Which clip, when, where, mirrored or not, with which mask."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from scaleflow.codec.picture import WorkingFormat
from scaleflow.errors import DataError, ScaleFlowError
from scaleflow.training.data.clip import Clip, ClipRequest, ClipSource
from scaleflow.training.data.configuration import DataConfig
from scaleflow.training.data.masks import random_masks

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 50
"""Places that cannot be read, one after the other, before loading is given up: the data has gone.

Were half of the places damaged, a run of days would still not meet so many in a row.
"""


@dataclass(frozen=True)
class SampleKey:
    """A sample: its stage, its number in it, and how many pictures it has."""

    stage: int
    number: int
    frames: int


class Unread(NamedTuple):
    """A file that a clip should have come from, and why it did not."""

    file: str
    reason: str


class Samples(NamedTuple):
    """uint8 planes (T, C, H, W), and masks (T, 1, H, W) of 0 and 1 where they are wanted; or N of them, stacked.

    ``unread`` is what was to be taken first: processes that load leave it to the one that trains to say so.
    """

    planes: tuple[Tensor, ...]
    masks: Tensor | None
    unread: tuple[Unread, ...] = ()


class UnreadReport:
    """Warns of files that cannot be read, of each once, however many of its places are tried."""

    def __init__(self) -> None:
        self._files: set[str] = set()

    def add(self, unread: Iterable[Unread]) -> None:
        """Warn of those that are new."""
        for file, reason in unread:
            if file not in self._files:
                self._files.add(file)
                logger.warning("clips are taken elsewhere: %s (unreadable files so far: %d)", reason, len(self._files))


class SampleSet(Dataset[Samples | ScaleFlowError]):
    """Samples by key. An error is returned: raised in a process that loads, it would arrive as another."""

    def __init__(self, source: ClipSource, data: DataConfig, seed: int, working_format: WorkingFormat) -> None:
        self._source, self._data, self._seed, self._format = source, data, seed, working_format
        weights = np.asarray(source.weights(), dtype=np.float64)
        self._cumulated = np.cumsum(weights / weights.sum())

    def __getitem__(self, key: SampleKey) -> Samples | ScaleFlowError:
        try:
            return self.load(key)
        except ScaleFlowError as error:
            return error

    def load(self, key: SampleKey) -> Samples:
        """A sample. In place of what cannot be read, the next random place of the same sample is taken.

        Raises:
            UsageError: the source has no clips of so many pictures.
            DataError: none of many places could be read.
        """
        generator = np.random.default_rng([self._seed, key.stage, key.number])
        clip, unread = self._read(key, generator)
        masks = None
        if self._data.masks == "annotations":
            assert clip.mask is not None  # the configuration asks for a source that has them
            masks = torch.from_numpy(np.array(clip.mask))
        elif self._data.masks != "none":
            drawn = random_masks(self._data.masks, key.frames, self._data.crop, self._data.crop, generator)
            masks = torch.from_numpy(drawn)
        return Samples(tuple(torch.from_numpy(np.array(plane)) for plane in clip.planes), masks, unread)

    def _read(self, key: SampleKey, generator: np.random.Generator) -> tuple[Clip, tuple[Unread, ...]]:
        data = self._data
        request = ClipRequest(
            frames=key.frames,
            crop=data.crop,
            working_format=self._format,
            stride=data.stride,
            flip=data.flip,
            reverse=data.reverse,
        )
        unread: list[Unread] = []
        for _ in range(MOST_ATTEMPTS):
            found = int(np.searchsorted(self._cumulated, generator.random(), "right"))
            place = min(found, len(self._cumulated) - 1)
            try:
                return self._source.read(place, request, generator), tuple(unread)
            except DataError as error:
                unread.append(Unread(str(self._source.file_of(place)), str(error)))
        raise DataError(f"{unread[-1].reason} (nor can any of {MOST_ATTEMPTS} places be read that were tried)")


def stack_samples(samples: list[Samples | ScaleFlowError]) -> Samples | ScaleFlowError:
    """One batch of several samples, or the first error among them."""
    whole: list[Samples] = []
    for sample in samples:
        if isinstance(sample, ScaleFlowError):
            return sample
        whole.append(sample)
    planes = tuple(torch.stack(planes) for planes in zip(*(sample.planes for sample in whole), strict=True))
    masks = [sample.masks for sample in whole if sample.masks is not None]
    unread = tuple(one for sample in whole for one in sample.unread)
    return Samples(planes, torch.stack(masks) if masks else None, unread)
