"""Objects in boxes as rows of a tensor: what detection learns, finds and is measured by.

A row is left, top, right, bottom (in samples, from the outer edge of the first to that of the last), the number of the
class, and a weight: of what was found its score, of a label 1, or 0 where it counts neither as found nor as missed.
Rows of class :data:`NOTHING` are there to fill up.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.errors import DataError

NOTHING = -1
"""Class of rows that say nothing."""

MOST_OBJECTS = 256
"""Labels of a picture; targets of batches have so many rows."""

LEAST_SEEN = 0.25
"""Share of an object that a part of a picture must show for it to count."""


def filled(rows: Tensor, place: str) -> Tensor:
    """Rows (D, 6) as (:data:`MOST_OBJECTS`, 6).

    Raises:
        DataError: there are more; ``place`` says where.
    """
    if len(rows) > MOST_OBJECTS:
        raise DataError(f"{place}: has {len(rows)} objects: {MOST_OBJECTS} are possible")
    return F.pad(rows.float(), (0, 0, 0, MOST_OBJECTS - len(rows)), value=NOTHING)


def known(rows: Tensor) -> Tensor:
    """Without those that say nothing."""
    return rows[rows[:, 4] >= 0]


def cut_to(rows: Tensor, size: tuple[int, int]) -> Tensor:
    """Rows of a larger picture, of which a part (height, width) is shown: cut off at its sides.

    What shows less than :data:`LEAST_SEEN` of itself gets the weight 0, what shows nothing says nothing.
    """
    height, width = size
    limits = rows.new_tensor([width, height, width, height])
    cut = torch.cat((rows[:, :4].clamp(min=0).minimum(limits), rows[:, 4:]), 1)
    sides, seen = rows[:, 2:4] - rows[:, :2], cut[:, 2:4] - cut[:, :2]
    share = seen.prod(1) / sides.prod(1).clamp(min=1e-9)
    cut[share < LEAST_SEEN, 5] = 0
    cut[(rows[:, 4] < 0) | (seen <= 0).any(1)] = NOTHING
    return cut


def moved(rows: Tensor, factors: tuple[float, float], shift: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """Places times ``factors`` (x, y) plus ``shift``; rows that say nothing stay."""
    scale, offset = rows.new_tensor(factors * 2), rows.new_tensor(shift * 2)
    changed = torch.cat((rows[:, :4] * scale + offset, rows[:, 4:]), 1)
    return torch.where(rows[:, 4:5] >= 0, changed, rows)
