"""Keypoints, in the layout of DeepLabCut."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.efficient_nets.data.labelled_frames import LabelledData, LabelledFrame, check_folder
from scaleflow.efficient_nets.data.window import Window
from scaleflow.efficient_nets.tasks.task import OUTPUT_STRIDE, Meter
from scaleflow.errors import DataError, UsageError

LABELS = "CollectedData.csv"

SPREAD = 1.0
"""Standard deviation of the heatmaps that are learned, in positions of the output."""

NEAR = 10.0
"""Samples within which a point counts as found."""

REFINED = 2
"""Positions on each side of the highest one over which the place is averaged."""


class Keypoints:
    """A heatmap for each point; the measure is the share of points within :data:`NEAR` samples (PCK), in percent.

    Implements :class:`scaleflow.efficient_nets.tasks.task.Task`; targets are (points, 2), x and y, NaN where a point is
    not seen.
    """

    name = "keypoints"
    measure = "pck"
    mirrors = False  # many points have a side in their name

    def open(self, folder: Path, part: str) -> LabelledData:
        """A folder with ``CollectedData.csv`` and the pictures that it names, which stand alone; there are no parts."""
        check_folder(folder)
        path = folder / LABELS
        if not path.is_file():
            raise UsageError(f"{folder}: has no {LABELS}")
        names, rows = _read_rows(path)
        frames = []
        for number, row in rows:
            picture = folder / row[0]
            if not picture.is_file():
                raise DataError(f"{path}, line {number}: there is no picture {picture}")
            points = _points_of(row, len(names), f"{path}, line {number}")
            frames.append(LabelledFrame("", Path(row[0]).name, picture, partial(torch.clone, points)))
        if not frames:
            raise DataError(f"{path}: names no pictures")
        return LabelledData(str(folder), names, tuple(frames), still=True)

    def move(self, target: Tensor, window: Window) -> Tensor:
        """Of (points, 2)."""
        return window.points(target)

    def learn(self, data: LabelledData) -> None:
        """Nothing: all points count alike."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of each heatmap, as odds of all places, with a Gaussian around the point.

        ``targets`` are (N, points, 2) in positions of the picture, of which the output has a fourth of the lines and
        columns; see :data:`scaleflow.efficient_nets.tasks.task.OUTPUT_STRIDE`.
        """
        seen = targets.isfinite().all(2)
        if not seen.any():
            return outputs.sum() * 0
        height, width = outputs.shape[-2:]
        places = (targets[seen] + 0.5) / OUTPUT_STRIDE - 0.5
        across = _bell(places[:, :1] - torch.arange(width, device=places.device))
        down = _bell(places[:, 1:] - torch.arange(height, device=places.device))
        wanted = (down[:, :, None] * across[:, None]).flatten(1)
        return F.cross_entropy(outputs[seen].flatten(1), wanted / wanted.sum(1, keepdim=True).clamp(min=1e-6))

    def prediction(self, output: Tensor, size: tuple[int, int]) -> Tensor:
        """(points, 2): the highest place of each heatmap, refined by the odds around it."""
        points, height, width = output.shape
        best = output.flatten(1).argmax(1)
        lines, columns = best // width, best % width
        found = []
        for heatmap, line, column in zip(output.float(), lines.tolist(), columns.tolist(), strict=True):
            top, left = max(0, line - REFINED), max(0, column - REFINED)
            part = heatmap[top : line + REFINED + 1, left : column + REFINED + 1]
            odds = part.flatten().softmax(0).view_as(part)
            y = top + float(odds.sum(1) @ torch.arange(len(part), dtype=odds.dtype))
            x = left + float(odds.sum(0) @ torch.arange(part.shape[1], dtype=odds.dtype))
            found.append([(x + 0.5) * size[1] / width - 0.5, (y + 0.5) * size[0] / height - 0.5])
        return torch.tensor(found).view(points, 2)

    def scores(self, output: Tensor) -> Tensor:
        """How sure a network is of each point, (points,) in 0..1: the odds that lie where :meth:`prediction` averages,
        of those of all places of the heatmap."""
        points, height, width = output.shape
        odds = output.float().flatten(1).softmax(1).view(points, 1, height, width)
        side = 2 * REFINED + 1
        around = F.avg_pool2d(odds, side, 1, REFINED, count_include_pad=True) * side**2
        return around.flatten(1).gather(1, output.flatten(1).argmax(1, keepdim=True))[:, 0].clamp(max=1)

    def change(self, before: Tensor, after: Tensor) -> float:
        """Mean distance in samples."""
        return float((after - before).norm(dim=1).mean())

    def meter(self, classes: Sequence[str]) -> Meter:
        """Share of points that are near, and mean distance in samples of the picture."""
        return _DistanceMeter()


class _DistanceMeter:
    """Implements :class:`scaleflow.efficient_nets.tasks.task.Meter`."""

    def __init__(self) -> None:
        self._distances: list[Tensor] = []

    def add(self, video: str, prediction: Tensor, target: Tensor) -> None:
        """See :class:`scaleflow.efficient_nets.tasks.task.Meter`."""
        distances = (prediction - target).norm(dim=1)
        self._distances.append(distances[distances.isfinite()])

    def values(self) -> dict[str, float]:
        """``pck`` in percent, ``distance`` in samples."""
        all_of_them = torch.cat(self._distances) if self._distances else torch.empty(0)
        if not len(all_of_them):
            return {"pck": math.nan, "distance": math.nan}
        return {"pck": 100 * float((all_of_them <= NEAR).double().mean()), "distance": float(all_of_them.mean())}


def _bell(distance: Tensor) -> Tensor:
    return torch.exp(-distance.square() / (2 * SPREAD**2))


def _read_rows(path: Path) -> tuple[tuple[str, ...], list[tuple[int, list[str]]]]:
    """Names of the points, and the rows with the number of their lines."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(number, row) for number, row in enumerate(csv.reader(file), 1) if row]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}") from error
    heads = {row[0]: row[1:] for _, row in rows[:4]}
    if "bodyparts" not in heads or "coords" not in heads:
        raise DataError(f"{path}: has no lines bodyparts and coords at its head, as DeepLabCut writes them")
    if heads["coords"] != ["x", "y"] * (len(heads["coords"]) // 2):
        raise DataError(f"{path}: its line coords is not x, y, x, y, ...")
    count = 1 + max(number for number, (_, row) in enumerate(rows[:4]) if row[0] in ("bodyparts", "coords"))
    return tuple(heads["bodyparts"][::2]), rows[count:]


def _points_of(row: list[str], count: int, place: str) -> Tensor:
    try:
        return torch.tensor([float(text) if text else math.nan for text in row[1:]]).view(count, 2)
    except (ValueError, RuntimeError) as error:
        raise DataError(f"{place}: expected two numbers or nothing for each of {count} points") from error
