"""From numbered samples to the parts of a step, loaded by other processes while the networks work."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch.utils.data import DataLoader, Sampler

from scaleflow.codec.picture import WorkingFormat
from scaleflow.errors import ScaleFlowError
from scaleflow.training.codec.configuration import StageConfig, TrainingConfig
from scaleflow.training.codec.losses import spread_qualities
from scaleflow.training.codec.models.trainable import ClipBatch
from scaleflow.training.data.clip import ClipSource
from scaleflow.training.data.samples import SampleKey, Samples, SampleSet, UnreadReport, stack_samples
from scaleflow.training.loop.distributed import Processes
from scaleflow.training.loop.parts import MicroBatch

PREFETCH = 4
"""Parts that each loading process is ahead."""


class _Plan(Sampler[list[SampleKey]]):
    """The keys of each part, made when they are asked for: runs may have millions."""

    def __init__(self, keys: Callable[[], Iterator[list[SampleKey]]]) -> None:
        self._keys = keys

    def __iter__(self) -> Iterator[list[SampleKey]]:
        return self._keys()


class ClipBatches:
    """Implements :class:`scaleflow.training.loop.loop.BatchSource` for one of several processes."""

    def __init__(
        self, config: TrainingConfig, source: ClipSource, working_format: WorkingFormat, processes: Processes
    ) -> None:
        """Read one sample of each stage, so that what cannot be is said before anything has begun.

        Raises:
            UsageError: the source has no clips that are long enough for a stage.
            DataError: it cannot be read, or its pictures are too small.
        """
        self._config, self._processes = config, processes
        self._samples = SampleSet(source, config.data, config.seed, working_format)
        self._unread = UnreadReport()
        for number, stage in enumerate(config.stages):
            self._unread.add(self._samples.load(SampleKey(number, 0, stage.unroll[1])).unread)

    def steps(self, number: int, stage: StageConfig, first_step: int) -> Iterator[list[MicroBatch]]:
        """See :class:`scaleflow.training.loop.loop.BatchSource`."""
        rank, count = self._processes.rank, self._processes.count
        size = stage.micro_batch or -(-stage.batch // count)
        parts = [range(first, min(first + size, stage.batch)) for first in range(0, stage.batch, size)]
        own = [(place, part) for place, part in enumerate(parts) if place % count == rank]

        def keys() -> Iterator[list[SampleKey]]:
            for step in range(first_step, stage.steps):
                for _, part in own:
                    yield [SampleKey(number, step * stage.batch + clip, stage.frames_at(step)) for clip in part]

        loaded = self._load(keys)
        for step in range(first_step, stage.steps):
            parts_of_step = []
            for place, part in own:
                batch = self._batch(next(loaded), stage, step * stage.batch + part[0])
                parts_of_step.append(MicroBatch(place, len(part) / stage.batch, batch))
            yield parts_of_step

    def start(self, number: int, stage: StageConfig) -> Iterator[ClipBatch]:
        """See :class:`scaleflow.training.loop.loop.BatchSource`."""
        frames = max(2, stage.unroll[0]) if stage.trains != "intra" else 1

        def keys() -> Iterator[list[SampleKey]]:
            for step in range(stage.steps):
                yield [SampleKey(number, step * stage.batch + clip, frames) for clip in range(stage.batch)]

        for step, samples in enumerate(self._load(keys)):
            yield self._batch(samples, stage, step * stage.batch)

    def _load(self, keys: Callable[[], Iterator[list[SampleKey]]]) -> Iterator[Samples]:
        loaded = iter(self._loader(keys))
        try:
            for samples in loaded:
                if isinstance(samples, ScaleFlowError):
                    raise samples
                self._unread.add(samples.unread)
                yield samples
        finally:
            del loaded  # held by the error's traceback, the loading processes would end only seconds later

    def _batch(self, samples: Samples, stage: StageConfig, first: int) -> ClipBatch:
        device = self._processes.device
        planes = tuple(plane.to(device, non_blocking=True).float() / 255 for plane in samples.planes)
        mask = None if samples.masks is None else samples.masks.to(device, non_blocking=True).float()
        quality = spread_qualities(first, len(planes[0]), *stage.quality, self._config.seed)
        return ClipBatch(planes, quality.to(device), mask)

    def _loader(self, keys: Callable[[], Iterator[list[SampleKey]]]) -> DataLoader[Samples | ScaleFlowError]:
        workers = self._config.data.workers
        return DataLoader(
            self._samples,
            batch_sampler=_Plan(keys),
            num_workers=workers,
            prefetch_factor=PREFETCH if workers else None,
            collate_fn=stack_samples,
            pin_memory=self._processes.device.type == "cuda",
        )
