"""Labelled pictures and clips, varied at random, from numbered samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from scaleflow.efficient_nets.data.labelled_frames import LabelledData, LabelledFrame
from scaleflow.efficient_nets.data.window import Window
from scaleflow.efficient_nets.tasks.task import PictureTask, Task, example
from scaleflow.errors import DataError, ScaleFlowError, UsageError
from scaleflow.training.loop.distributed import Processes
from scaleflow.training.loop.parts import MicroBatch
from scaleflow.training.networks.coded_pictures import CodedPictures
from scaleflow.training.networks.configuration import NetworkDataConfig, NetworkStage


@dataclass(frozen=True)
class LabelledBatch:
    """Clips (N, T, 3, H, W) in 0..1 and their targets (N, T, ...)."""

    clips: Tensor
    targets: Tensor

    @property
    def count(self) -> int:
        """Clips."""
        return len(self.clips)


class NumberedSamples(Dataset[tuple[Tensor, Tensor] | ScaleFlowError], ABC):
    """Sample n of a run follows from (seed, n) alone."""

    @abstractmethod
    def load(self, number: int) -> tuple[Tensor, Tensor]:
        """Clip (T, 3, H, W) and what is to be learned of it.

        Raises:
            DataError: it cannot be read.
        """

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor] | ScaleFlowError:
        # raised in a loading process, an error would come with that process's traceback
        try:
            return self.load(number)
        except ScaleFlowError as error:
            return error


class LabelledSamples(NumberedSamples):
    """Sample n of a run: which frames, and how they are varied, follows from (seed, n) alone."""

    def __init__(self, data: LabelledData, task: Task, config: NetworkDataConfig, clip: int, seed: int) -> None:
        """``config.size`` must be that of the pictures to train on.

        Raises:
            UsageError: pictures are to be coded that are targets themselves.
            DataError: no video has as many frames as a clip.
        """
        if config.coded and isinstance(task, PictureTask):
            raise UsageError(f"data.coded: the pictures of {task.name} are its targets: leave it out")
        self._coded = CodedPictures(config.coded) if config.coded else None
        self._task, self._config, self._clip, self._seed = task, config, clip, seed
        needed = clip if config.clips == "video" else 1
        videos = data.videos().values()
        self._starts = [frames[n : n + needed] for frames in videos for n in range(len(frames) - needed + 1)]
        if not self._starts:
            raise DataError(
                f"{data.place}: no video has {clip} frames: use a smaller training.clip, or data.clips=moved, which "
                "makes clips of single pictures"
            )

    def __len__(self) -> int:
        return len(self._starts)

    def load(self, number: int) -> tuple[Tensor, Tensor]:
        """Clip (T, 3, H, W) and targets (T, ...).

        Raises:
            DataError: a picture or a label cannot be read, or they are of different sizes.
        """
        # all frames come before one comes again
        epoch, place = divmod(number, len(self))
        order = np.random.default_rng((self._seed, 1, epoch)).permutation(len(self))
        frames = self._starts[order[place]]
        generator = np.random.default_rng((self._seed, 2, number))
        pictures = [self._read(frame) for frame in frames]
        mirrors = self._config.mirror and self._task.mirrors
        windows = draw_windows(pictures[0][0], self._config, self._clip, mirrors, generator)
        if len(pictures) == 1:
            pictures = pictures * self._clip
        windowed = [window.picture(picture) for window, (picture, _) in zip(windows, pictures, strict=True)]
        varied = vary_brightness(torch.stack(windowed), self._config, generator)
        if self._coded is not None:
            varied = self._coded(varied, generator)
        clip, targets = [], []
        for window, picture, (_, target) in zip(windows, varied, pictures, strict=True):
            shown, wanted = example(self._task, picture, self._task.move(target, window), generator)
            clip.append(shown)
            targets.append(wanted)
        return torch.stack(clip), torch.stack(targets)

    def _read(self, frame: LabelledFrame) -> tuple[Tensor, Tensor]:
        picture, target = frame.read_picture(), frame.target()
        if target.dim() == 2 and target.dtype == torch.uint8 and target.shape != picture.shape[1:]:
            ours, theirs = ("x".join(map(str, reversed(t.shape[-2:]))) for t in (picture, target))
            raise DataError(f"{frame.picture}: has {ours} samples, its labels {theirs}")
        return picture, target


def draw_windows(
    picture: Tensor, config: NetworkDataConfig, frames: int, mirrors: bool, generator: np.random.Generator
) -> list[Window]:
    """One for each frame of a clip; scaled, placed and perhaps mirrored by chance."""
    factor = float(np.exp(generator.uniform(*np.log(config.scale))))
    scaled = max(1, round(config.size[1] * factor)), max(1, round(config.size[0] * factor))
    size = config.crop[1], config.crop[0]
    corner = [generator.uniform(min(0, free), max(0, free)) for free in np.subtract(scaled, size)]
    mirror = bool(mirrors and generator.random() < 0.5)
    moves = config.clips == "moved"
    step = generator.uniform(-config.speed, config.speed, 2) if moves else np.zeros(2)
    source = picture.shape[1], picture.shape[2]
    return [
        Window(source, scaled, round(corner[0] + n * step[0]), round(corner[1] + n * step[1]), size, mirror)
        for n in range(frames)
    ]


def vary_brightness(clip: Tensor, config: NetworkDataConfig, generator: np.random.Generator) -> Tensor:
    """A clip (T, 3, H, W) in 0..1 with another contrast and brightness, the same for all its frames."""
    gain, offset = 1 + config.brightness * generator.uniform(-1, 1, 2) * (1, 0.5)
    return ((clip - 0.5) * gain + offset - 0.5).clamp(0, 1)


class LabelledBatches:
    """Implements :class:`scaleflow.training.loop.parts.BatchSource` for one of several processes."""

    def __init__(self, samples: NumberedSamples, stage: NetworkStage, workers: int, processes: Processes) -> None:
        """Read one sample, so that what cannot be is said before anything has begun.

        Raises:
            UsageError: there are more processes than samples in a step.
            DataError: the sample cannot be read.
        """
        if stage.batch < processes.count:
            raise UsageError(f"training.batch = {stage.batch}: each of {processes.count} processes needs a sample")
        samples.load(0)
        self._samples, self._workers, self._processes = samples, workers, processes

    def steps(self, number: int, stage: NetworkStage, first_step: int) -> Iterator[list[MicroBatch[LabelledBatch]]]:
        """See :class:`scaleflow.training.loop.parts.BatchSource`."""
        rank, count = self._processes.rank, self._processes.count
        own = range(rank, stage.batch, count)
        keys = [[step * stage.batch + n for n in own] for step in range(first_step, stage.steps)]
        for batch in self._load(keys):
            yield [MicroBatch(rank, batch.count / stage.batch, batch)]

    def start(self, number: int, stage: NetworkStage) -> Iterator[LabelledBatch]:
        """See :class:`scaleflow.training.loop.parts.BatchSource`."""
        yield from self._load([[step * stage.batch + n for n in range(stage.batch)] for step in range(stage.steps)])

    def _load(self, keys: list[list[int]]) -> Iterator[LabelledBatch]:
        loader = DataLoader(self._samples, batch_sampler=keys, num_workers=self._workers, collate_fn=_stack)
        for loaded in loader:
            if isinstance(loaded, ScaleFlowError):
                raise loaded
            device = self._processes.device
            clips, targets = (tensor.to(device, non_blocking=True) for tensor in loaded)
            yield LabelledBatch(clips, targets)


def _stack(samples: list[tuple[Tensor, Tensor] | ScaleFlowError]) -> tuple[Tensor, Tensor] | ScaleFlowError:
    loaded = []
    for sample in samples:
        if isinstance(sample, ScaleFlowError):
            return sample
        loaded.append(sample)
    return torch.stack([clip for clip, _ in loaded]), torch.stack([targets for _, targets in loaded])
