"""Restoration of decoded pictures as a task: how near to the pictures before they were coded."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.adversarial.lpips_network import LEAST_SIDE
from scaleflow.efficient_nets.data.labelled_frames import LabelledData, LabelledFrame
from scaleflow.efficient_nets.tasks.restoration import Restoration, picture_psnr
from scaleflow.efficient_nets.tasks.task import Meter
from scaleflow.evaluation.metrics.names import RESTORED_LPIPS

Distance = Callable[[Tensor, Tensor], Tensor]
"""LPIPS of pictures (1, 3, H, W) in -1..1."""


def with_originals(data: LabelledData) -> LabelledData:
    """Frames whose targets are the pictures themselves, (1, 3, H, W) in 0..1."""
    frames = tuple(replace(frame, target=partial(_original, frame)) for frame in data.frames)
    return replace(data, frames=frames, condition="")


def _original(frame: LabelledFrame) -> Tensor:
    return frame.read_picture()[None]


class RestorationOfCoded:
    """Implements :class:`scaleflow.efficient_nets.tasks.task.TaskMeasure`.

    No noise is added: networks are shown what a codec decodes. Both measures are taken at the size of the original, to
    which what a network made at another size is resampled.
    """

    name = Restoration.name
    measure = Restoration.measure

    def __init__(self, lpips: Distance | None = None) -> None:
        """``lpips`` is the network of :func:`scaleflow.adversarial.lpips_network.load_lpips`; None to go without."""
        self._lpips = None if lpips is None else _KnownDistance(lpips)

    def prediction(self, output: Tensor, size: tuple[int, int]) -> Tensor:
        """Of that size, (1, 3, H, W), within 0..1."""
        picture = output.float()[None]
        if picture.shape[-2:] != size:
            picture = F.interpolate(picture, size=size, mode="bicubic", antialias=True)
        return picture.clamp(0, 1)

    def change(self, before: Tensor, after: Tensor) -> float:
        """Mean absolute difference, of 255."""
        return 255 * float((before - after).abs().mean())

    def meter(self, classes: Sequence[str]) -> Meter:
        """PSNR over all samples in RGB in dB, and LPIPS, means over frames."""
        return _FidelityMeter(self._lpips)


class _KnownDistance:
    """LPIPS of pictures in 0..1. Several meters in turn ask for that of the same pair."""

    def __init__(self, lpips: Distance) -> None:
        self._lpips = lpips
        self._last: tuple[Tensor, Tensor, float] | None = None

    def __call__(self, prediction: Tensor, target: Tensor) -> float:
        if prediction is target:
            return 0.0
        if min(target.shape[-2:]) < LEAST_SIDE:
            return math.nan
        if self._last is None or self._last[0] is not prediction or self._last[1] is not target:
            with torch.inference_mode():
                self._last = prediction, target, float(self._lpips(2 * target - 1, 2 * prediction - 1))
        return self._last[2]


class _FidelityMeter:
    """Implements :class:`scaleflow.efficient_nets.tasks.task.Meter`."""

    def __init__(self, lpips: _KnownDistance | None) -> None:
        self._lpips = lpips
        self._psnrs: list[float] = []
        self._distances: list[float] = []

    def add(self, video: str, prediction: Tensor, target: Tensor) -> None:
        """See :class:`scaleflow.efficient_nets.tasks.task.Meter`."""
        self._psnrs.append(picture_psnr(prediction, target))
        if self._lpips is not None:
            self._distances.append(self._lpips(prediction, target))

    def values(self) -> dict[str, float]:
        """``psnr``, and where it is measured ``restored lpips``."""
        values = {"psnr": _mean(self._psnrs)}
        return values if self._lpips is None else values | {RESTORED_LPIPS: _mean(self._distances)}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
