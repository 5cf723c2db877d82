"""TensorBoard: scalars, pictures of what a step does, and rate-distortion points."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from scaleflow.training.codec.configuration import StageConfig
from scaleflow.training.codec.pictures import step_picture
from scaleflow.training.codec.validation import ValidationPoint
from scaleflow.training.loop.loop import TrainingProgress

logger = logging.getLogger(__name__)

PICTURE_EVERY = 10
"""Reports from one picture to the next."""


class TensorBoardMonitor:
    """Writes below a folder; without the ``tensorboard`` package it says so once and writes nothing."""

    def __init__(self, folder: Path) -> None:
        self._writer: Any = None
        self._reports = 0
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            logger.warning('no TensorBoard files are written: pip install ".[train]" brings tensorboard')
            return
        self._writer = SummaryWriter(str(folder))

    def report(self, progress: TrainingProgress) -> None:
        """Scalars of a report, now and then a picture."""
        if self._writer is None:
            return
        for name, value in progress.scalars.items():
            self._writer.add_scalar(f"{progress.stage.name}/{name}", value, progress.step)
        if self._reports % PICTURE_EVERY == 0 or progress.step == progress.stage.steps:
            picture = step_picture(progress.last)
            self._writer.add_image(f"{progress.stage.name}/last picture", picture, progress.step, dataformats="HWC")
        self._reports += 1

    def validated(self, stage: StageConfig, step: int, points: list[ValidationPoint]) -> None:
        """One pair of scalars for each clip and quality."""
        if self._writer is None:
            return
        for point in points:
            name = f"{stage.name}/validation {point.clip} q{point.quality:g}"
            self._writer.add_scalar(f"{name} bpp", point.bits_per_pixel, step)
            self._writer.add_scalar(f"{name} psnr", point.psnr, step)

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()
