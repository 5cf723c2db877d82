"""Ranges of quantizers: how much of the largest values to clip."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Clipping = Literal["mse", "percentile", "largest"]

PERCENTILE = 0.9999
"""Share of the values that ``percentile`` keeps."""

SHARES = tuple(0.5 ** (step / 6) for step in range(31))
"""Ranges that ``mse`` tries, over that of all values: from all of it to a thirty-second, six to a halving."""

SMALLEST_RANGE = 1e-8
"""So that what is always zero has a step."""


@dataclass(frozen=True)
class Clip:
    """A range for one or several quantizers: the step, the codes below zero, and the share of the values' range."""

    step: Tensor
    zero_point: Tensor
    share: Tensor

    @classmethod
    def around(cls, values: Tensor, bits: int, affine: bool, *, per_channel: bool, share: Tensor) -> Clip:
        """Of ``values`` (O, ...), for each channel or for all together; shaped as ``share``."""
        rows = values.reshape(values.shape[0] if per_channel else 1, -1)
        low, high = (end.view_as(share) for end in _ends(rows))
        return _clip(low, high, bits, affine, share)


def fit(
    rows: Tensor, bits: int, affine: bool, clipping: Clipping, *, ends: tuple[Tensor, Tensor] | None = None
) -> Clip:
    """A range for each row of values (R, K), as ``clipping`` says; of shape (R,).

    ``ends`` are the least and largest values (R,), where ``rows`` are samples of more.

    ``largest`` clips nothing. ``percentile`` clips what lies outside of all but :data:`PERCENTILE` of the values (on
    either side, of affine ones). ``mse`` takes of :data:`SHARES` that with the least mean square error.
    """
    low, high = _ends(rows if ends is None else torch.stack(ends, 1))
    everything = torch.ones_like(low)
    if clipping == "largest":
        return _clip(low, high, bits, affine, everything)
    if clipping == "percentile":
        kept_values = math.ceil(PERCENTILE * rows.shape[1])
        upper = torch.kthvalue(rows if affine else rows.abs(), kept_values, dim=1).values.clamp_min(0)
        lower = torch.kthvalue(-rows, kept_values, dim=1).values.clamp_min(0) if affine else upper
        whole = high - low if affine else torch.maximum(high, -low)
        kept = lower + upper if affine else upper
        found = _clip(-lower, upper, bits, affine, everything)
        return Clip(found.step, found.zero_point, kept / whole.clamp_min(SMALLEST_RANGE))
    best = _clip(low, high, bits, affine, everything)
    least = torch.full_like(low, torch.inf)
    for share in SHARES:
        tried = _clip(low, high, bits, affine, everything * share)
        error = _square_error(rows, tried, bits, affine)
        better = error < least
        least = torch.where(better, error, least)
        best = Clip(
            torch.where(better, tried.step, best.step),
            torch.where(better, tried.zero_point, best.zero_point),
            torch.where(better, tried.share, best.share),
        )
    return best


def _ends(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Least and largest of each row, zero included."""
    return rows.amin(1).clamp_max(0), rows.amax(1).clamp_min(0)


def _clip(low: Tensor, high: Tensor, bits: int, affine: bool, share: Tensor) -> Clip:
    if not affine:
        largest = torch.maximum(high, -low).clamp_min(SMALLEST_RANGE)
        return Clip(share * largest / (2 ** (bits - 1) - 1), torch.zeros_like(low), share)
    step = share * (high - low).clamp_min(SMALLEST_RANGE) / (2**bits - 1)
    return Clip(step, -share * low / step, share)


def _square_error(rows: Tensor, clip: Clip, bits: int, affine: bool) -> Tensor:
    step = clip.step[:, None]
    if affine:
        below = clip.zero_point.round()[:, None]
        codes = (rows / step).round_().clamp_(-below, 2**bits - 1 - below)
    else:
        largest = 2 ** (bits - 1) - 1
        codes = (rows / step).round_().clamp_(-largest, largest)
    return codes.mul_(step).sub_(rows).square_().mean(1)
