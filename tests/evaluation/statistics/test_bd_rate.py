"""BD-rates against values that can be worked out, and what is refused."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.interpolate import PchipInterpolator

from scaleflow.evaluation.rate_distortion.results import Curve, read_points
from scaleflow.evaluation.statistics.bd_rate import (
    NoOverlapError,
    bd_rate,
    bd_rate_of_average,
    bd_rates_of_clips,
    mean_bd_rate,
)
from scaleflow.evaluation.statistics.bd_rate_summary import bd_rate_cell, choose_anchor
from scaleflow.evaluation.statistics.bootstrap import bootstrap_interval

RATES = (0.05, 0.1, 0.2, 0.4)
PSNRS = (30.0, 33.0, 36.0, 39.0)


def curve(rates: tuple[float, ...], values: tuple[float, ...], codec: str = "a", metric: str = "psnr-y") -> Curve:
    """One clip's curve of one metric."""
    return Curve(codec, "clip", tuple(map(str, rates)), rates, tuple(1000 * r for r in rates), {metric: values})


def test_a_codec_that_needs_a_fifth_less_rate() -> None:
    better = bd_rate(curve(tuple(0.8 * rate for rate in RATES), PSNRS), curve(RATES, PSNRS, "b"), "psnr-y")
    assert better.percent == pytest.approx(-20)
    # three dB for each doubling
    assert better.quality_difference == pytest.approx(3 * math.log2(1 / 0.8))
    assert (better.low, better.high, better.overlap) == (30, 39, 1)
    assert (better.codec, better.anchor, better.clip) == ("a", "b", "clip")


def test_against_an_integral_of_its_own() -> None:
    ours, theirs = (29.1, 33.4, 36.2, 40.0), PSNRS

    def mean_log_rate(values: tuple[float, ...]) -> float:
        low, high = 30.0, 39.0
        return quad(PchipInterpolator(values, np.log(RATES)), low, high, limit=200)[0] / (high - low)

    expected = 100 * math.expm1(mean_log_rate(ours) - mean_log_rate(theirs))
    found = bd_rate(curve(RATES, ours), curve(RATES, theirs), "psnr-y")
    assert found.percent == pytest.approx(expected, abs=0.01)
    assert found.overlap == pytest.approx(9 / 10.9)


@given(
    st.lists(st.floats(0.3, 3), min_size=4, max_size=8),
    st.lists(st.floats(0.1, 5), min_size=4, max_size=8),
    st.floats(0.5, 2),
)
@settings(max_examples=50, deadline=None)
def test_scaling_the_rate_scales_the_result(growth: list[float], gains: list[float], factor: float) -> None:
    count = min(len(growth), len(gains))
    rates = tuple(np.exp(np.cumsum(growth[:count])) * 0.01)
    values = tuple(20 + np.cumsum(gains[:count]))
    found = bd_rate(curve(tuple(factor * r for r in rates), values), curve(rates, values), "psnr-y")
    assert found.percent == pytest.approx(100 * (factor - 1), abs=1e-3)


def test_ms_ssim_is_compared_in_decibels_and_lpips_the_other_way_round() -> None:
    similar = tuple(1 - 10 ** (-value / 10) for value in (8.0, 10.0, 12.0, 14.0))
    found = bd_rate(
        curve(tuple(0.5 * rate for rate in RATES), similar, metric="ms-ssim-rgb"),
        curve(RATES, similar, metric="ms-ssim-rgb"),
        "ms-ssim-rgb",
    )
    assert found.percent == pytest.approx(-50) and found.quality_difference == pytest.approx(2)
    distances = (0.4, 0.3, 0.2, 0.1)
    closer = bd_rate(
        curve(tuple(0.5 * rate for rate in RATES), distances, metric="lpips"),
        curve(RATES, distances, metric="lpips"),
        "lpips",
    )
    assert closer.percent == pytest.approx(-50) and closer.quality_difference == pytest.approx(-0.1)
    assert (closer.low, closer.high) == (0.1, 0.4)


def test_curves_that_share_no_quality_are_refused() -> None:
    with pytest.raises(NoOverlapError, match=r"share no psnr-y \(30..39 dB of a and 40..49 dB of b\)"):
        bd_rate(curve(RATES, PSNRS), curve(RATES, tuple(value + 10 for value in PSNRS), "b"), "psnr-y")
    # qualities overlap, rates do not
    found = bd_rate(curve(tuple(rate / 100 for rate in RATES), PSNRS), curve(RATES, PSNRS, "b"), "psnr-y")
    assert found.percent == pytest.approx(-99) and math.isnan(found.quality_difference)


def test_points_without_use_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    rates, values = (0.05, 0.1, 0.15, 0.2, 0.4), (30.0, 33.0, 32.0, 36.0, 39.0)
    with caplog.at_level(logging.WARNING):
        found = bd_rate(curve(rates, values), curve(RATES, PSNRS, "b"), "psnr-y")
    assert found.percent == pytest.approx(0, abs=1e-9)
    assert "a at 0.15 costs no less than at 0.1 and is no better in psnr-y" in caplog.text
    identical = replace(curve(RATES, PSNRS), metrics={"psnr-y": (30.0, 33.0, math.nan, math.nan)})
    assert bd_rate(identical, curve(RATES, PSNRS, "b"), "psnr-y").percent == pytest.approx(0, abs=1e-9)
    with pytest.raises(Exception, match=r"a has 1 usable point\(s\) in psnr-y, a curve needs 2"):
        bd_rate(curve((0.1,), (30.0,)), curve(RATES, PSNRS, "b"), "psnr-y")
    with pytest.raises(Exception, match="a was not measured in vmaf, only in psnr-y"):
        bd_rate(curve(RATES, PSNRS), curve(RATES, PSNRS, "b"), "vmaf")


def test_over_real_clips(results: Path) -> None:
    points = read_points(results)
    (only,), problems = bd_rates_of_clips(points, "scaleflow", "x264", "psnr-y")
    assert not problems
    mean = mean_bd_rate([only])
    assert mean.clip == "mean of 1 clip" and mean.interval is None and mean.percent == only.percent
    # of a single clip, the average curve is the clip's
    assert bd_rate_of_average(points, "scaleflow", "x264", "psnr-y").percent == pytest.approx(only.percent)
    assert bd_rate_of_average(points, "x264", "x264", "psnr-y").percent == pytest.approx(0, abs=1e-9)
    assert bd_rate_cell(points, "scaleflow", "x264", "psnr-y")["each"] == {"carphone.y4m": only.percent}
    with pytest.raises(NoOverlapError, match="no clip on which both curves overlap"):
        mean_bd_rate([])


def test_means_and_their_intervals() -> None:
    rates = [bd_rate(curve(tuple(f * r for r in RATES), PSNRS), curve(RATES, PSNRS), "psnr-y") for f in (0.7, 0.8, 1.2)]
    mean = mean_bd_rate(rates)
    assert mean.percent == pytest.approx(-10) and mean.clip == "mean of 3 clips"
    assert mean.interval is not None and mean.interval[0] == pytest.approx(-30) and -5 < mean.interval[1] <= 20
    assert mean_bd_rate(rates).interval == mean.interval
    # of many values, the interval is that of the normal distribution
    values = np.random.default_rng(3).normal(5, 2, 400).tolist()
    low, high = bootstrap_interval(values)
    half = 1.96 * np.std(values) / 20
    assert low == pytest.approx(np.mean(values) - half, abs=0.03)
    assert high == pytest.approx(np.mean(values) + half, abs=0.03)


def test_the_usual_anchors() -> None:
    assert choose_anchor(["scaleflow", "x264", "x265"], None) == "x265"
    assert choose_anchor(["scaleflow", "x264"], None) == "x264"
    assert choose_anchor(["scaleflow", "vvenc"], None) == "scaleflow"
    with pytest.raises(Exception, match="anchor vp9 was not measured; there are scaleflow, x264"):
        choose_anchor(["scaleflow", "x264"], "vp9")
