"""Intervals and p-values against published and computed values."""

from __future__ import annotations

import pytest

from scaleflow.evaluation.statistics.preference import sign_test, wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine, 1998, table I
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)
    mirrored = wilson_interval(trials - successes, trials)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=5e-5)


def test_halves_count_and_intervals_stay_within_shares() -> None:
    low, high = wilson_interval(2.5, 5)
    assert low + high == pytest.approx(1) and 0 < low < 0.5
    assert wilson_interval(3, 3)[1] == 1.0 and wilson_interval(0, 1)[0] == 0.0


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (-1, 2), (3, 2)])
def test_what_is_no_share(successes: float, trials: int) -> None:
    with pytest.raises(ValueError, match="is no share"):
        wilson_interval(successes, trials)


@pytest.mark.parametrize(
    ("wins", "losses", "p_value"), [(0, 0, 1.0), (5, 5, 1.0), (6, 0, 2 / 64), (1, 8, 20 / 512), (8, 1, 20 / 512)]
)
def test_sign_test(wins: int, losses: int, p_value: float) -> None:
    assert sign_test(wins, losses) == pytest.approx(p_value)
