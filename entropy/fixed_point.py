"""Fixed-point numbers as exact integers in float64, and their multiplication by powers of two with fractions."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal, localcontext
from functools import lru_cache

import torch
from torch import Tensor

from scaleflow.entropy.scale_grid import ScaleGrid

FRACTION_BITS = 10
"""Fractional bits of means, scale indices and everything that an integer network passes on."""

ONE = 1 << FRACTION_BITS
LARGEST_FIXED = float(1 << 30)
"""Magnitudes are kept at or below this: 2**20 with its fraction."""

GAIN_STEPS_PER_OCTAVE = 512
_MANTISSA_BITS = 20
LARGEST_GAIN = 16 * GAIN_STEPS_PER_OCTAVE


@lru_cache(maxsize=1)
def _mantissas() -> Tensor:
    """round(2 ** (i / 512) * 2 ** 20), i = 0..511, by decimal arithmetic, which is the same everywhere."""
    with localcontext() as context:
        context.prec = 40
        root = Decimal(2) ** (Decimal(1) / GAIN_STEPS_PER_OCTAVE)
        values = [int((root**i * (1 << _MANTISSA_BITS)).to_integral_value()) for i in range(GAIN_STEPS_PER_OCTAVE)]
    return torch.tensor(values, dtype=torch.float64)


def round_shift(values: Tensor, bits: int) -> Tensor:
    """floor(v / 2**bits + 1/2) of float64 integers; exact, as powers of two only change the exponent."""
    return torch.floor(values * 2.0**-bits + 0.5)


def apply_gain(values: Tensor, steps: Tensor) -> Tensor:
    """Multiply fixed-point ``values`` by ``2 ** (steps / 512)``, rounded half up, kept within +-2**30.

    ``steps`` are float64 integers of magnitude up to 16 octaves, broadcastable. Every product stays below
    2**30 * 2**21 and is exact.
    """
    steps = steps.clamp(-LARGEST_GAIN, LARGEST_GAIN)
    octave = torch.floor(steps / GAIN_STEPS_PER_OCTAVE)
    mantissa = _mantissas().to(values.device)[(steps - octave * GAIN_STEPS_PER_OCTAVE).long()]
    product = values.clamp(-LARGEST_FIXED, LARGEST_FIXED) * mantissa
    # ldexp by an integral power of two is exact; the sum with 1/2 is as well unless the value is beyond the clamp
    scaled = product * _power_of_two(octave - _MANTISSA_BITS)
    return torch.floor(scaled + 0.5).clamp(-LARGEST_FIXED, LARGEST_FIXED)


def _power_of_two(exponent: Tensor) -> Tensor:
    """2 ** exponent of float64 integers, exact on every device (a table, since exp2 may be approximate)."""
    table = torch.tensor([2.0**e for e in range(-64, 65)], dtype=torch.float64, device=exponent.device)
    return table[exponent.long() + 64]


def scale_index_from_log2(fixed: Tensor, size: int) -> Tensor:
    """Nearest index 0..size - 1 of fixed-point indices, halves upwards."""
    return round_shift(fixed, FRACTION_BITS).clamp(0, size - 1)


def scale_index_from_sigma(fixed: Tensor, grid: ScaleGrid) -> Tensor:
    """Index of ``grid`` that is nearest, by ratio, to fixed-point standard deviations; int64, same shape."""
    return torch.bucketize(fixed, _boundaries(grid).to(fixed.device), right=True)


@lru_cache(maxsize=4)
def _boundaries(grid: ScaleGrid) -> Tensor:
    """Smallest fixed-point standard deviation of each index above 0, by decimal arithmetic, (size - 1,)."""
    with localcontext() as context:
        context.prec = 40
        smallest = Decimal(str(grid.smallest)) * ONE
        exponents = (Decimal(2 * i + 1) / (2 * grid.steps_per_octave) for i in range(grid.size - 1))
        values = [int((smallest * Decimal(2) ** exponent).to_integral_value(ROUND_CEILING)) for exponent in exponents]
    return torch.tensor(values, dtype=torch.float64)
