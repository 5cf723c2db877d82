"""Frequency tables of zero-mean Gaussians on a grid of scales."""

from __future__ import annotations

import math

from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.scale_grid import ScaleGrid

DEVIATIONS = 6.0
"""A row reaches this many standard deviations to each side; what lies beyond is escaped."""

ESCAPE_PROBABILITY = 2.0**-16
"""Trained latents have heavier tails than Gaussians, so an escape is made cheaper than the Gaussian would have it."""


def gaussian_tables(grid: ScaleGrid) -> FrequencyTables:
    """One row for each scale of ``grid``, the Gaussian integrated over unit bins; row 0 is the zero row."""
    rows = []
    for index in range(grid.size):
        scale = grid.scale(index)
        reach = max(1, math.ceil(DEVIATIONS * scale))
        upper = [0.5 * math.erfc((abs(k) - 0.5) / (scale * math.sqrt(2))) for k in range(1, reach + 2)]
        tail = [upper[k] - upper[k + 1] for k in range(reach)]
        rows.append(([*reversed(tail), 1 - 2 * upper[0], *tail, ESCAPE_PROBABILITY], -reach))
    return FrequencyTables.from_rows(rows, zero_row=0)
