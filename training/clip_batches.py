"""From numbered samples to the parts of a step, loaded by other processes while the networks work.

Sample n of stage s is a pure function of (seed, s, n): which clip, when, where, mirrored or not, and at which quality.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from codec.picture import WorkingFormat
from training.configuration import StageConfig, TrainingConfig
from training.data.clip import ClipRequest, ClipSource
from training.distributed import Processes
from training.loop import MicroBatch
from training.losses import spread_qualities
from training.models.trainable import ClipBatch

PREFETCH = 4
"""Parts that each loading process is ahead."""


@dataclass(frozen=True)
class _Key:
    """A sample: its number in its stage, and how many pictures it has."""

    stage: int
    number: int
    frames: int


class _Samples(Dataset[tuple[Tensor, ...]]):
    """Samples by key, as uint8 planes."""

    def __init__(self, source: ClipSource, config: TrainingConfig, working_format: WorkingFormat) -> None:
        self._source, self._config, self._format = source, config, working_format
        weights = np.asarray(source.weights(), dtype=np.float64)
        self._cumulated = np.cumsum(weights / weights.sum())

    def __getitem__(self, key: _Key) -> tuple[Tensor, ...]:
        data = self._config.data
        generator = np.random.default_rng([self._config.seed, key.stage, key.number])
        index = min(int(np.searchsorted(self._cumulated, generator.random(), "right")), len(self._cumulated) - 1)
        request = ClipRequest(
            frames=key.frames,
            crop=data.crop,
            working_format=self._format,
            stride=data.stride,
            flip=data.flip,
            reverse=data.reverse,
        )
        clip = self._source.read(index, request, generator)
        return tuple(torch.from_numpy(np.array(plane)) for plane in clip.planes)


class _Plan(Sampler[list[_Key]]):
    """The keys of each part, made when they are asked for: runs may have millions."""

    def __init__(self, keys: Callable[[], Iterator[list[_Key]]]) -> None:
        self._keys = keys

    def __iter__(self) -> Iterator[list[_Key]]:
        return self._keys()


class ClipBatches:
    """Implements :class:`training.loop.BatchSource` for one of several processes."""

    def __init__(
        self, config: TrainingConfig, source: ClipSource, working_format: WorkingFormat, processes: Processes
    ) -> None:
        self._config, self._processes = config, processes
        self._samples = _Samples(source, config, working_format)

    def steps(self, number: int, stage: StageConfig, first_step: int) -> Iterator[list[MicroBatch]]:
        """See :class:`training.loop.BatchSource`."""
        rank, count = self._processes.rank, self._processes.count
        size = stage.micro_batch or -(-stage.batch // count)
        parts = [range(first, min(first + size, stage.batch)) for first in range(0, stage.batch, size)]
        own = [(place, part) for place, part in enumerate(parts) if place % count == rank]

        def keys() -> Iterator[list[_Key]]:
            for step in range(first_step, stage.steps):
                for _, part in own:
                    yield [_Key(number, step * stage.batch + clip, stage.frames_at(step)) for clip in part]

        loaded = iter(self._loader(keys))
        for step in range(first_step, stage.steps):
            parts_of_step = []
            for place, part in own:
                batch = self._batch(next(loaded), stage, step * stage.batch + part[0])
                parts_of_step.append(MicroBatch(place, len(part) / stage.batch, batch))
            yield parts_of_step

    def start(self, number: int, stage: StageConfig) -> Iterator[ClipBatch]:
        """See :class:`training.loop.BatchSource`."""
        frames = max(2, stage.unroll[0]) if stage.trains != "intra" else 1

        def keys() -> Iterator[list[_Key]]:
            for step in range(stage.steps):
                yield [_Key(number, step * stage.batch + clip, frames) for clip in range(stage.batch)]

        for step, planes in enumerate(self._loader(keys)):
            yield self._batch(planes, stage, step * stage.batch)

    def _batch(self, planes: tuple[Tensor, ...], stage: StageConfig, first: int) -> ClipBatch:
        device = self._processes.device
        scaled = tuple(plane.to(device, non_blocking=True).float() / 255 for plane in planes)
        quality = spread_qualities(first, len(planes[0]), *stage.quality, self._config.seed)
        return ClipBatch(scaled, quality.to(device))

    def _loader(self, keys: Callable[[], Iterator[list[_Key]]]) -> DataLoader[tuple[Tensor, ...]]:
        workers = self._config.data.workers
        return DataLoader(
            self._samples,
            batch_sampler=_Plan(keys),
            num_workers=workers,
            prefetch_factor=PREFETCH if workers else None,
            collate_fn=_stack,
            pin_memory=self._processes.device.type == "cuda",
        )


def _stack(samples: list[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    return tuple(torch.stack(planes) for planes in zip(*samples, strict=True))
