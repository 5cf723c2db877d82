"""Sample n of stage s: a pure function of (seed, s, n). Which clip, when, where, mirrored or not, with which mask."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from codec.errors import DataError, ScaleFlowError
from codec.picture import WorkingFormat
from training.configuration import DataConfig
from training.data.clip import Clip, ClipRequest, ClipSource
from training.data.masks import random_masks

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 10
"""Places that cannot be read, one after the other, before loading is given up: the data has gone."""


@dataclass(frozen=True)
class SampleKey:
    """A sample: its stage, its number in it, and how many pictures it has."""

    stage: int
    number: int
    frames: int


class Samples(NamedTuple):
    """uint8 planes (T, C, H, W), and masks (T, 1, H, W) of 0 and 1 where they are wanted; or N of them, stacked."""

    planes: tuple[Tensor, ...]
    masks: Tensor | None


class SampleSet(Dataset[Samples | ScaleFlowError]):
    """Samples by key. An error is returned: raised in a process that loads, it would arrive as another."""

    def __init__(self, source: ClipSource, data: DataConfig, seed: int, working_format: WorkingFormat) -> None:
        self._source, self._data, self._seed, self._format = source, data, seed, working_format
        weights = np.asarray(source.weights(), dtype=np.float64)
        self._cumulated = np.cumsum(weights / weights.sum())
        self._reported: set[int] = set()

    def __getitem__(self, key: SampleKey) -> Samples | ScaleFlowError:
        try:
            return self.load(key)
        except ScaleFlowError as error:
            return error

    def load(self, key: SampleKey) -> Samples:
        """A sample.

        A place that cannot be read is named once, and another is taken.

        Raises:
            UsageError: the source has no clips of so many pictures.
            DataError: none of many places could be read.
        """
        generator = np.random.default_rng([self._seed, key.stage, key.number])
        clip = self._read(key, generator)
        masks = None
        if self._data.masks != "none":
            drawn = random_masks(self._data.masks, key.frames, self._data.crop, self._data.crop, generator)
            masks = torch.from_numpy(drawn)
        return Samples(tuple(torch.from_numpy(np.array(plane)) for plane in clip.planes), masks)

    def _read(self, key: SampleKey, generator: np.random.Generator) -> Clip:
        data = self._data
        request = ClipRequest(
            frames=key.frames,
            crop=data.crop,
            working_format=self._format,
            stride=data.stride,
            flip=data.flip,
            reverse=data.reverse,
        )
        failures: dict[int, DataError] = {}
        for attempt in range(MOST_ATTEMPTS):
            found = int(np.searchsorted(self._cumulated, generator.random(), "right"))
            place = min(found, len(self._cumulated) - 1)
            try:
                clip = self._source.read(place, request, generator)
            except DataError as error:
                if attempt == MOST_ATTEMPTS - 1:
                    raise
                failures[place] = error
            else:
                self._report(failures)
                return clip
        raise AssertionError("the last attempt returns or raises")

    def _report(self, failures: dict[int, DataError]) -> None:
        for place, error in failures.items():
            if place not in self._reported:
                self._reported.add(place)
                logger.warning("left out: %s (place %d of those that cannot be read)", error, len(self._reported))


def stack_samples(samples: list[Samples | ScaleFlowError]) -> Samples | ScaleFlowError:
    """One batch of several samples, or the first error among them."""
    whole: list[Samples] = []
    for sample in samples:
        if isinstance(sample, ScaleFlowError):
            return sample
        whole.append(sample)
    planes = tuple(torch.stack(planes) for planes in zip(*(sample.planes for sample in whole), strict=True))
    masks = [sample.masks for sample in whole if sample.masks is not None]
    return Samples(planes, torch.stack(masks) if masks else None)
