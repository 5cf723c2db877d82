"""Pictures are matched by time; nothing is ever measured against its neighbour."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scaleflow.errors import DataError
from scaleflow.evaluation.metrics.matching import MatchedFile, Timed, match_by_time

FRAME = Fraction(1, 25)


def matched(
    ours: Sequence[Fraction], theirs: Sequence[Fraction], frames: int | None = None, has_times: bool = True
) -> list[tuple[int, int]]:
    """Pairs of numbers of pictures at these times, counted from the first of each as files are."""
    sides = [
        MatchedFile(name, 1 / FRAME, [Timed(time - times[0], n) for n, time in enumerate(times)], has_times)
        for name, times in (("original.mp4", ours), ("decoded.mp4", theirs))
    ]
    return [(a.item, b.item) for a, b in match_by_time(sides[0], sides[1], frames)]


def regular(count: int) -> list[Fraction]:
    return [n * FRAME for n in range(count)]


def test_other_time_bases_and_starts_match() -> None:
    ours = regular(300)
    milliseconds = [Fraction(round(1000 * time), 1000) for time in ours]
    late = [time + Fraction(7, 3) for time in ours]
    ticks = [Fraction(round(90000 * time) + n % 3, 90000) for n, time in enumerate(ours)]
    for theirs in (milliseconds, late, ticks):
        assert matched(ours, theirs) == [(n, n) for n in range(300)]


@pytest.mark.parametrize("missing", [1, 5, 18])
def test_a_missing_picture_is_named(missing: int) -> None:
    ours = regular(20)
    theirs = ours[:missing] + ours[missing + 1 :]
    with pytest.raises(
        DataError, match=rf"decoded.mp4: lacks picture {missing} of original.mp4, at {missing / 25:.3f} s"
    ):
        matched(ours, theirs)
    with pytest.raises(
        DataError, match=rf"decoded.mp4: picture {missing}, at {missing / 25:.3f} s, is not in original"
    ):
        matched(theirs, ours)


def test_a_missing_end_or_start_is_named() -> None:
    ours = regular(20)
    for theirs in (ours[:-1], ours[1:]):
        with pytest.raises(DataError, match=r"decoded.mp4: ends after 19 pictures.*picture 19 at 0\.760 s"):
            matched(ours, theirs)
        with pytest.raises(DataError, match=r"original.mp4: ends after 19 pictures"):
            matched(theirs, ours)


def test_frames_limit_what_is_looked_at() -> None:
    assert matched(regular(20), regular(12), frames=12) == [(n, n) for n in range(12)]
    with pytest.raises(DataError, match="ends after 12"):
        matched(regular(20), regular(12), frames=13)


def test_half_a_duration_is_too_far() -> None:
    ours = regular(10)
    just = [time + (FRAME / 2 - Fraction(1, 10**6)) * (n == 4) for n, time in enumerate(ours)]
    over = [time + FRAME / 2 * (n == 4) for n, time in enumerate(ours)]
    # The moved picture is also nearer to its next, so that half of the shorter distance counts.
    with pytest.raises(DataError, match="picture 4"):
        matched(ours, over)
    with pytest.raises(DataError, match="picture 4"):
        matched(ours, just)
    near = [time + FRAME / 4 * (n == 4) for n, time in enumerate(ours)]
    assert len(matched(ours, near)) == 10


def test_a_gap_hides_no_picture_beside_it() -> None:
    ours = [n * FRAME for n in (0, 2, 4, 6)]
    with pytest.raises(DataError, match=r"picture 1, at 0\.040 s, is not in original"):
        matched(ours, regular(7))


def test_an_assumed_rate_is_told() -> None:
    theirs = [n * FRAME * Fraction(5, 6) for n in range(10)]
    with pytest.raises(DataError, match=r"original.mp4 is taken to have 25 pictures/s; frame_rate changes that"):
        matched(regular(10), theirs, has_times=False)


def test_single_pictures_match() -> None:
    assert matched([Fraction(3)], [Fraction(0)]) == [(0, 0)]


@given(
    gaps=st.lists(st.integers(20, 400), min_size=4, max_size=30),
    lost=st.integers(1, 29),
    start=st.integers(0, 10**6),
)
def test_no_loss_at_uneven_times_goes_unnoticed(gaps: list[int], lost: int, start: int) -> None:
    """Whatever picture between the first and the last is lost, and however times are rounded to milliseconds."""
    assume(lost < len(gaps))
    times, now = [Fraction(start, 90000)], Fraction(start, 90000)
    for gap in gaps:
        now += Fraction(gap, 1001)
        times.append(now)
    rounded = [Fraction(round(1000 * time), 1000) for time in times]
    assert matched(times, rounded) == [(n, n) for n in range(len(times))]
    for ours, theirs in ((times, rounded[:lost] + rounded[lost + 1 :]), (times[:lost] + times[lost + 1 :], rounded)):
        with pytest.raises(DataError):
            matched(ours, theirs)
