"""Presentation times always rise, and those that were right stay."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scaleflow.codec.video.timestamps import RisingTimestamps


def mended(times: list[int | None]) -> list[int]:
    clock = RisingTimestamps("clip", Fraction(25), Fraction(1, 1000))
    return [clock.next(time, following) for time, following in zip(times, [*times[1:], None], strict=False)]


@given(st.lists(st.none() | st.integers(-(10**9), 10**9)))
def test_result_rises(times: list[int | None]) -> None:
    result = mended(times)
    assert all(second > first for first, second in pairwise(result))


@given(st.lists(st.integers(-(10**9), 10**9), unique=True))
def test_rising_times_are_kept(times: list[int]) -> None:
    assert mended([*sorted(times)]) == sorted(times)


def test_missing_and_repeated_times() -> None:
    assert mended([None, None, 80, 80, 75, 120, None]) == [0, 40, 80, 81, 100, 120, 160]


def test_one_odd_time_does_not_squeeze_what_follows() -> None:
    assert mended([0, 40, 80, 90_000, 160, 200]) == [0, 40, 80, 120, 160, 200]
    assert mended([0, 40, 80, 3, 160, 200]) == [0, 40, 80, 120, 160, 200]


def test_times_that_begin_anew_go_on_where_the_others_ended() -> None:
    assert mended([0, 40, 80, 0, 40, 80, 0, 40]) == [0, 40, 80, 120, 160, 200, 240, 280]


def test_a_long_pause_stays() -> None:
    assert mended([0, 40, 60_000, 60_040]) == [0, 40, 60_000, 60_040]
