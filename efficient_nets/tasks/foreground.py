"""Foreground segmentation, in the layout of DAVIS."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scaleflow.efficient_nets.data.label_maps import pictures_below, read_numbers
from scaleflow.efficient_nets.data.labelled_frames import LabelledData, LabelledFrame, check_folder
from scaleflow.efficient_nets.tasks.boundary_measure import boundary_measure
from scaleflow.efficient_nets.tasks.label_map_task import LabelMapTask
from scaleflow.efficient_nets.tasks.task import Meter
from scaleflow.errors import DataError, UsageError

CLASSES = ("background", "foreground")


class Foreground(LabelMapTask):
    """What moves and what does not; the measure is DAVIS's J, the intersection over union of the foreground.

    Beside it stands F, see :mod:`scaleflow.efficient_nets.tasks.boundary_measure`.
    """

    name = "foreground"
    measure = "j"

    def open(self, folder: Path, part: str) -> LabelledData:
        """``JPEGImages/480p`` and ``Annotations/480p`` with a folder for each video; there are no parts."""
        check_folder(folder)
        pictures, annotations = folder / "JPEGImages" / "480p", folder / "Annotations" / "480p"
        if not pictures.is_dir() or not annotations.is_dir():
            raise UsageError(f"{folder}: has no folders JPEGImages/480p and Annotations/480p")
        frames = []
        for video in sorted(path for path in pictures.iterdir() if path.is_dir()):
            for picture in pictures_below(video):
                label = annotations / video.name / f"{picture.stem}.png"
                if not label.is_file():
                    raise DataError(f"{picture}: has no annotation: {label} is not there")
                frames.append(LabelledFrame(video.name, picture.name, picture, partial(_read_mask, label)))
        if not frames:
            raise DataError(f"{pictures}: holds no folders of pictures")
        return LabelledData(str(folder), CLASSES, tuple(frames))

    def meter(self, classes: Sequence[str]) -> Meter:
        """J and F: means over the frames of each video, and of these over videos, in percent."""
        return _RegionMeter()


class _RegionMeter:
    """Implements :class:`scaleflow.efficient_nets.tasks.task.Meter`; a frame without foreground counts 100 if none was
    found."""

    def __init__(self) -> None:
        self._shares: dict[str, list[float]] = {}
        self._outlines: dict[str, list[float]] = {}

    def add(self, video: str, prediction: Tensor, target: Tensor) -> None:
        """See :class:`scaleflow.efficient_nets.tasks.task.Meter`."""
        found, wanted = prediction == 1, target == 1
        either = int((found | wanted).sum())
        share = int((found & wanted).sum()) / either if either else 1.0
        self._shares.setdefault(video, []).append(100 * share)
        agreement = boundary_measure(found.cpu().numpy(), wanted.cpu().numpy())
        self._outlines.setdefault(video, []).append(100 * agreement)

    def values(self) -> dict[str, float]:
        """``j`` and ``f``, and ``j`` of each video."""
        means = {f"j {video}": float(np.mean(shares)) for video, shares in self._shares.items()}
        outlines = [float(np.mean(values)) for values in self._outlines.values()]
        mean = {"j": list(means.values()), "f": outlines}
        return {**{name: float(np.mean(values)) if values else math.nan for name, values in mean.items()}, **means}


def _read_mask(path: Path) -> Tensor:
    """Anything but 0 is foreground: 255, or numbers of objects."""
    return torch.from_numpy((read_numbers(path) > 0).astype(np.uint8))
