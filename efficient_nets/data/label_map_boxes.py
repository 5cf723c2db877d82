"""Boxes around what hangs together in maps of class numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label
from torch import Tensor


def boxes_of_labels(labels: NDArray[np.int64], numbers: Sequence[int], least_area: float) -> Tensor:
    """Rows (D, 6) as in :mod:`scaleflow.efficient_nets.data.box_rows`, a box for each connected component of each
    class.

    Objects of one class that touch are one box, and one that something covers in the middle is two: label maps do not
    say more. Samples that touch at a corner are connected.

    Args:
        labels: (H, W).
        numbers: of the classes, in the order in which rows count them from 0 on.
        least_area: samples of a component; smaller ones get the weight 0.
    """
    rows = []
    for place, number in enumerate(numbers):
        components, _ = label(labels == number, np.ones((3, 3)))
        areas = np.bincount(components.ravel())
        for component, part in enumerate(find_objects(components), 1):
            weight = float(areas[component] >= least_area)
            sides = (part[1].start, part[0].start, part[1].stop, part[0].stop)
            rows.append((*map(float, sides), float(place), weight))
    return torch.tensor(rows).view(-1, 6)
