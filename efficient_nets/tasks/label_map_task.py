"""Tasks whose targets are maps of class numbers: loss, prediction and intersection over union."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.efficient_nets.data.label_maps import VOID
from scaleflow.efficient_nets.data.labelled_frames import LabelledData
from scaleflow.efficient_nets.data.window import Window
from scaleflow.efficient_nets.tasks.task import Meter
from scaleflow.errors import DataError

RAREST = 0.002
"""Rarer classes count in the loss as if they had this share of the samples."""


class LabelMapTask(ABC):
    """Implements :class:`scaleflow.efficient_nets.tasks.task.Task` but for its data."""

    name: str
    measure = "miou"
    mirrors = True

    def __init__(self) -> None:
        self._weights: Tensor | None = None

    @abstractmethod
    def open(self, folder: Path, part: str) -> LabelledData:
        """See :class:`scaleflow.efficient_nets.tasks.task.Task`."""

    def move(self, target: Tensor, window: Window) -> Tensor:
        """Of (H, W)."""
        return window.labels(target, VOID)

    def learn(self, data: LabelledData) -> None:
        """Weigh classes by the inverse square root of their share of the samples, so that small ones are learned.

        Raises:
            DataError: there is no sample of any class.
        """
        counts = torch.zeros(len(data.classes), dtype=torch.float64)
        for frame in data.frames[:: max(1, len(data.frames) // 200)]:
            counts += torch.bincount(frame.target().flatten().long(), minlength=VOID + 1)[: len(counts)]
        if not counts.sum():
            raise DataError(f"{data.place}: its labels are void everywhere: there is no {', '.join(data.classes)}")
        weights = (counts / counts.sum().clamp(min=1)).clamp(min=RAREST) ** -0.5
        self._weights = (weights / weights.mean()).float()

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy at the resolution of the labels, void left out."""
        full = F.interpolate(outputs, size=targets.shape[-2:], mode="bilinear")
        weights = None if self._weights is None else self._weights.to(outputs.device)
        return F.cross_entropy(full, targets.long(), weights, ignore_index=VOID)

    def prediction(self, output: Tensor, size: tuple[int, int]) -> Tensor:
        """(H, W) in uint8."""
        full = F.interpolate(output[None].float(), size=size, mode="bilinear")
        return full[0].argmax(0).to(torch.uint8)

    def change(self, before: Tensor, after: Tensor) -> float:
        """Share of the samples of another class, in percent."""
        return 100 * float((before != after).double().mean())

    def meter(self, classes: Sequence[str]) -> Meter:
        """Intersection over union of each class over all frames, and their mean."""
        return ClassMeter(classes)


class ClassMeter:
    """Implements :class:`scaleflow.efficient_nets.tasks.task.Meter` with one confusion matrix of all frames."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = tuple(classes)
        self._confusion = torch.zeros((len(classes), len(classes)), dtype=torch.int64)

    def add(self, video: str, prediction: Tensor, target: Tensor) -> None:
        """See :class:`scaleflow.efficient_nets.tasks.task.Meter`."""
        known = target != VOID
        count = len(self._classes)
        pairs = target[known].long() * count + prediction[known].long()
        self._confusion += torch.bincount(pairs, minlength=count * count).view(count, count)

    def values(self) -> dict[str, float]:
        """In percent; ``miou`` over classes that are in the labels or were found."""
        both = self._confusion.diagonal().double()
        either = self._confusion.sum(0) + self._confusion.sum(1) - both
        shares = torch.where(either > 0, 100 * both / either, math.nan)
        accuracy = 100 * float(both.sum() / self._confusion.sum().clamp(min=1))
        by_class = {f"iou {name}": value for name, value in zip(self._classes, shares.tolist(), strict=True)}
        return {"miou": float(shares.nanmean()), "accuracy": accuracy, **by_class}
