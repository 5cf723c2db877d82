"""Gains and scale indices against exact arithmetic of Python's integers and fractions."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scaleflow.entropy.fixed_point import (
    GAIN_STEPS_PER_OCTAVE,
    LARGEST_FIXED,
    LARGEST_GAIN,
    ONE,
    apply_gain,
    round_shift,
    scale_index_from_log2,
    scale_index_from_sigma,
)
from scaleflow.entropy.scale_grid import ScaleGrid

LIMIT = int(LARGEST_FIXED)

fixed = st.one_of(st.integers(-LIMIT, LIMIT), st.sampled_from([0, 1, -1, LIMIT, -LIMIT]))
gains = st.one_of(st.integers(-LARGEST_GAIN, LARGEST_GAIN), st.integers(-1024, 1024))


def _mantissa(step: int) -> int:
    with localcontext() as context:
        context.prec = 60
        return int((Decimal(2) ** (Decimal(step) / GAIN_STEPS_PER_OCTAVE) * (1 << 20)).to_integral_value())


def _gained(value: int, steps: int) -> int:
    octave, step = divmod(steps, GAIN_STEPS_PER_OCTAVE)
    exact = Fraction(value * _mantissa(step)) * Fraction(2) ** (octave - 20)
    rounded = (exact + Fraction(1, 2)).__floor__()
    return max(-LIMIT, min(LIMIT, rounded))


@given(st.lists(st.tuples(fixed, gains), min_size=1, max_size=50))
@settings(deadline=None)
def test_gain_is_integer_arithmetic(pairs: list[tuple[int, int]]) -> None:
    values = torch.tensor([value for value, _ in pairs], dtype=torch.float64)
    steps = torch.tensor([step for _, step in pairs], dtype=torch.float64)
    assert apply_gain(values, steps).tolist() == [_gained(value, step) for value, step in pairs]


def test_all_mantissas() -> None:
    steps = torch.arange(GAIN_STEPS_PER_OCTAVE, dtype=torch.float64)
    found = apply_gain(torch.tensor(float(1 << 20)), steps)
    assert found.tolist() == [_mantissa(step) for step in range(GAIN_STEPS_PER_OCTAVE)]


def test_gain_is_a_power_of_two() -> None:
    values = torch.tensor([1e6 * ONE, -3.25 * ONE, 12345.0, 0.0], dtype=torch.float64).view(-1, 1)
    steps = torch.arange(-2048, 2049, 7, dtype=torch.float64)
    expected = values * 2 ** (steps / GAIN_STEPS_PER_OCTAVE)
    kept = expected.abs() < LIMIT
    error = (apply_gain(values, steps) - expected).abs()
    assert bool((error <= 0.5 + expected.abs() * 2.0**-20)[kept].all())


def test_gain_broadcasts_per_channel_and_limits_what_it_gets() -> None:
    values = torch.full((1, 2, 3, 4), float(ONE), dtype=torch.float64)
    steps = torch.tensor([512.0, -512.0], dtype=torch.float64).view(1, 2, 1, 1)
    found = apply_gain(values, steps)
    assert found.shape == values.shape
    assert bool((found[:, 0] == 2 * ONE).all())
    assert bool((found[:, 1] == ONE // 2).all())
    wide = torch.tensor([2.0**52, -(2.0**52)], dtype=torch.float64)
    assert apply_gain(wide, torch.tensor(1e7).double()).tolist() == [LIMIT, -LIMIT]
    assert apply_gain(wide, torch.tensor(-1e7).double()).tolist() == [LIMIT >> 16, -LIMIT >> 16]


@given(st.integers(-(2**52), 2**52), st.integers(0, 30))
def test_halves_round_upwards(value: int, bits: int) -> None:
    found = round_shift(torch.tensor(float(value), dtype=torch.float64), bits)
    assert int(found) == ((value + (1 << bits >> 1)) >> bits)


def test_scale_indices_of_logarithms() -> None:
    half = ONE // 2
    fixed_indices = torch.tensor([-(10.0**9), -half - 1, -half, half - 1, half, 5 * ONE + half, 102.5 * ONE, 1e12])
    found = scale_index_from_log2(fixed_indices.double(), 104)
    assert found.tolist() == [0, 0, 0, 0, 1, 6, 103, 103]


@pytest.mark.parametrize("grid", [ScaleGrid(), ScaleGrid(0.5, 3, 20)])
def test_scale_indices_of_deviations_change_where_they_should(grid: ScaleGrid) -> None:
    """Exactly at the first fixed-point number that is not below the geometric mean of two scales."""
    for index in range(grid.size - 1):
        # (v / 2**10) ** 16 compared with smallest ** 16 * 2 ** (2 i + 1) in rationals, for 8 steps an octave
        power = 2 * grid.steps_per_octave
        bound = (Fraction(str(grid.smallest)) * ONE) ** power * Fraction(2) ** (2 * index + 1)
        start = int(grid.scale(index) * 2 ** (0.5 / grid.steps_per_octave) * ONE)
        first = next(v for v in range(max(start - 2, 0), start + 4) if Fraction(v) ** power >= bound)
        around = torch.tensor([first - 1, first], dtype=torch.float64)
        below, at = scale_index_from_sigma(around, grid).tolist()
        assert at > index >= below
    extremes = torch.tensor([-(2.0**30), 0.0, 2.0**30], dtype=torch.float64)
    assert scale_index_from_sigma(extremes, grid).tolist() == [0, 0, grid.size - 1]
