"""Frequency tables of a trained factorised prior."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.gaussian_tables import ESCAPE_PROBABILITY

if TYPE_CHECKING:
    from compressai.entropy_models import EntropyBottleneck

LARGEST_VALUE = 1024
NEGLIGIBLE = 2.0**-22
"""Symbols at the ends of a row that are less likely than this are left to the escape."""


@torch.no_grad()
def factorized_tables(bottleneck: EntropyBottleneck) -> FrequencyTables:
    """One row for each channel of CompressAI's factorised prior (Ballé et al., 2018), for integer values.

    Values are those of ``round(z)``; the prior's medians play no part.
    """
    model = copy.deepcopy(bottleneck).cpu().double()
    values = torch.arange(-LARGEST_VALUE, LARGEST_VALUE + 1, dtype=torch.float64).expand(model.channels, 1, -1)
    lower = model._logits_cumulative(values - 0.5, stop_gradient=True)
    upper = model._logits_cumulative(values + 0.5, stop_gradient=True)
    sign = -torch.sign(lower + upper)  # the difference is taken where the sigmoid has digits to spare
    likelihood = (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs()[:, 0]
    rows = []
    for channel, row in enumerate(likelihood):
        if not bool(torch.isfinite(row).all()):
            raise ValueError(f"the factorised prior of channel {channel} has likelihoods that are not numbers")
        likely = (row >= row.max().clamp(max=NEGLIGIBLE)).nonzero().flatten()
        first, last = int(likely[0]), int(likely[-1])
        rows.append(([*row[first : last + 1].tolist(), ESCAPE_PROBABILITY], first - LARGEST_VALUE))
    return FrequencyTables.from_rows(rows)
