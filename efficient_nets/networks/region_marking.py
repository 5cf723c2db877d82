"""What of a network's output is a region of interest, for each kind of output."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label
from torch import Tensor

from scaleflow.efficient_nets.tasks.detection_output import detections
from scaleflow.efficient_nets.tasks.task import OUTPUT_STRIDE

Places = NDArray[np.bool_]
"""(h, w), as the positions of the output."""

Marking = Callable[[Tensor], Places]
"""Of one output (channels, h, w)."""

UNSURE = 0.2
"""Difference of the probabilities of the two likeliest classes below which a place counts as uncertain."""

LEAST_SHARE = 2e-4
"""Of the picture: smaller spots get no box, as they are rarely objects."""

LEAST_SCORE = 0.2
"""Of a detection. Lower than what is usual for showing them: an object that the region misses gets no better."""

ENLARGEMENT = 0.1
"""Of the sides of a detected box, to each side: networks look at what surrounds an object too."""

POINT_RADIUS = 1 / 16
"""Of what is marked around a point, in shorter sides of the picture."""


@dataclass(frozen=True)
class MarkClasses:
    """Places of classes, and places where the network hesitates between two classes.

    Attributes:
        inside: of each class, whether its places are inside.
        uncertain: least difference of the two highest probabilities; below it a place is inside where ``concerned``
            holds for one of the two. 0 marks no such places.
    """

    inside: tuple[bool, ...]
    uncertain: float = 0.0
    concerned: tuple[bool, ...] = ()

    def __call__(self, output: Tensor) -> Places:
        """See :data:`Marking`."""
        marked = torch.tensor(self.inside)[output.argmax(0)]
        if self.uncertain and len(output) > 1:
            odds, classes = output.float().softmax(0).topk(2, 0)
            hesitates = odds[0] - odds[1] < self.uncertain
            marked = marked | (hesitates & torch.tensor(self.concerned)[classes].any(0))
        places: Places = marked.numpy()
        return places


@dataclass(frozen=True)
class MarkBoxesAround:
    """Filled boxes around all places that hang together, diagonally too."""

    places: MarkClasses

    def __call__(self, output: Tensor) -> Places:
        """See :data:`Marking`."""
        inside = self.places(output)
        numbered, _ = label(inside, np.ones((3, 3)))
        boxes = np.zeros_like(inside)
        for place in find_objects(numbered):
            rows, columns = (part.stop - part.start for part in place)
            if rows * columns >= LEAST_SHARE * inside.size:
                boxes[place] = True
        return boxes


@dataclass(frozen=True)
class MarkDetections:
    """Boxes of a detector, enlarged; ``inside`` says of each class whether its objects count."""

    inside: tuple[bool, ...]

    def __call__(self, output: Tensor) -> Places:
        """See :data:`Marking`."""
        boxes = np.zeros(output.shape[1:], np.bool_)
        for left, top, right, bottom, kind, score in detections(output).tolist():
            if score < LEAST_SCORE or not self.inside[int(kind)]:
                continue
            across, down = ENLARGEMENT * (right - left), ENLARGEMENT * (bottom - top)
            rows, columns = _positions(top - down, bottom + down), _positions(left - across, right + across)
            boxes[rows, columns] = True
        return boxes


@dataclass(frozen=True)
class MarkPoints:
    """Discs around the highest place of each heatmap that counts."""

    inside: Sequence[bool]

    def __call__(self, output: Tensor) -> Places:
        """See :data:`Marking`."""
        height, width = output.shape[1:]
        discs = np.zeros((height, width), np.bool_)
        rows, columns = np.ogrid[:height, :width]
        radius = max(1.0, POINT_RADIUS * min(height, width))
        for counts, heatmap in zip(self.inside, output, strict=True):
            if counts:
                row, column = divmod(int(heatmap.argmax()), width)
                discs |= (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
        return discs


def _positions(first: float, last: float) -> slice:
    """Positions of the output that samples of the picture touch."""
    return slice(max(0, math.floor(first / OUTPUT_STRIDE)), max(0, math.ceil(last / OUTPUT_STRIDE)))
