"""Crops of coded pairs, mirrored at random, from numbered samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scaleflow.errors import UsageError
from scaleflow.training.loop.distributed import Processes
from scaleflow.training.loop.parts import MicroBatch
from scaleflow.training.loop.single_stage import SingleStage
from scaleflow.training.restoration.pairs import CodedPairs


@dataclass(frozen=True)
class PairBatch:
    """Pictures (N, 3, H, W) in 0..1, original and decoded."""

    original: Tensor
    decoded: Tensor

    @property
    def count(self) -> int:
        """Pairs."""
        return len(self.original)


class PairBatches:
    """Implements :class:`scaleflow.training.loop.parts.BatchSource`: sample n follows from (seed, n) alone."""

    def __init__(self, pairs: CodedPairs, crop: int, seed: int, stage: SingleStage, processes: Processes) -> None:
        """``crop`` is at most the side of the patches.

        Raises:
            UsageError: there are more processes than samples in a step, or patches are too small.
        """
        if stage.batch < processes.count:
            raise UsageError(f"training.batch = {stage.batch}: each of {processes.count} processes needs a sample")
        if crop > pairs.original.shape[-1]:
            raise UsageError(f"crops of {crop} do not fit the run's patches of {pairs.original.shape[-1]}")
        self._pairs, self._crop, self._seed, self._processes = pairs, crop, seed, processes

    def steps(self, number: int, stage: SingleStage, first_step: int) -> Iterator[list[MicroBatch[PairBatch]]]:
        """See :class:`scaleflow.training.loop.parts.BatchSource`."""
        rank, count = self._processes.rank, self._processes.count
        for step in range(first_step, stage.steps):
            batch = self._batch([step * stage.batch + n for n in range(rank, stage.batch, count)])
            yield [MicroBatch(rank, batch.count / stage.batch, batch)]

    def start(self, number: int, stage: SingleStage) -> Iterator[PairBatch]:
        """See :class:`scaleflow.training.loop.parts.BatchSource`: all pairs, uncropped, in one batch."""
        yield self.whole()

    def whole(self) -> PairBatch:
        """All pairs, uncropped."""
        device = self._processes.device
        return PairBatch(*(_floats(one).to(device) for one in (self._pairs.original, self._pairs.decoded)))

    def _batch(self, numbers: list[int]) -> PairBatch:
        crops = [self._crop_of(number) for number in numbers]
        original, decoded = (torch.stack(one).to(self._processes.device) for one in zip(*crops, strict=True))
        return PairBatch(_floats(original), _floats(decoded))

    def _crop_of(self, number: int) -> tuple[Tensor, Tensor]:
        generator = np.random.default_rng((self._seed, 4, number))
        pair = int(generator.integers(len(self._pairs)))
        free = self._pairs.original.shape[-1] - self._crop
        line, column = (int(generator.integers(free + 1)) for _ in range(2))
        mirrored = bool(generator.integers(2))
        lines, columns = slice(line, line + self._crop), slice(column, column + self._crop)
        crops = [patches[pair, :, lines, columns] for patches in (self._pairs.original, self._pairs.decoded)]
        original, decoded = (crop.flip(-1) if mirrored else crop for crop in crops)
        return original, decoded


def _floats(samples: Tensor) -> Tensor:
    return samples.float() / 255
