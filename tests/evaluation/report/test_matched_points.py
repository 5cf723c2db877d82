"""Which points are put side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scaleflow.errors import UsageError
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.rate_distortion.results import read_points
from scaleflow.evaluation.report.codec_summary import choose_anchor
from scaleflow.evaluation.report.matched_points import common_rate, nearest_points, spread_pictures
from scaleflow.evaluation.report.settings import ReportSettings
from scaleflow.evaluation.report.stream_maps import flow_colors, flow_wheel, heat
from scaleflow.evaluation.statistics.bd_rate_summary import bd_rate_cell


@pytest.fixture
def point(results: Path) -> RatePoint:
    return read_points(results)[0]


def test_rate_is_in_the_middle_of_what_all_have(point: RatePoint) -> None:
    rates = {"a": (0.1, 0.2, 0.8), "b": (0.05, 0.4), "c": (0.01, 0.9)}
    points = [replace(point, codec=codec, bits_per_pixel=r) for codec, of_codec in rates.items() for r in of_codec]
    assert common_rate(points) == pytest.approx(0.2)
    assert [(p.codec, p.bits_per_pixel) for p in nearest_points(points, 0.2)] == [("a", 0.2), ("b", 0.4), ("c", 0.9)]


def test_rate_between_codecs_that_share_none(point: RatePoint) -> None:
    points = [replace(point, codec=codec, bits_per_pixel=r) for codec, r in (("a", 0.1), ("b", 0.4))]
    assert common_rate(points) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("frames", "count", "expected"), [(6, 3, [1, 3, 5]), (2, 3, [0, 1]), (96, 3, [16, 48, 80]), (9, 0, []), (1, 1, [0])]
)
def test_pictures_are_spread(frames: int, count: int, expected: list[int]) -> None:
    assert list(spread_pictures(frames, count)) == expected


def test_anchor() -> None:
    assert choose_anchor(["scaleflow", "x264", "x265"], None) == "x265"
    assert choose_anchor(["scaleflow", "vvenc"], None) == "scaleflow"
    assert choose_anchor(["scaleflow", "vvenc"], "vvenc") == "vvenc"
    with pytest.raises(UsageError, match=r"anchor x266 was not measured; there are x264"):
        choose_anchor(["x264"], "x266")


def test_bd_rate(results: Path) -> None:
    points = read_points(results)
    cell = bd_rate_cell(points, "scaleflow", "x264", "psnr-y")
    assert cell["clips"] == 1 and cell["percent"] == pytest.approx(cell["average"])
    assert bd_rate_cell(points, "scaleflow", "x264", "vmaf")["problem"]


@pytest.mark.parametrize("settings", [{"bits_per_pixel": 0.0}, {"bits_per_pixel": float("nan")}, {"pictures": -1}])
def test_settings_out_of_range(settings: dict[str, float]) -> None:
    (name,) = settings
    with pytest.raises(UsageError, match=f"^{name} ") as raised:
        ReportSettings(**settings)  # type: ignore[arg-type]
    assert raised.value.fields == (name,)


def test_colors_of_motion() -> None:
    still = flow_colors(np.zeros((2, 3, 4)), 5.0)
    assert still.shape == (3, 4, 3) and (still == 255).all()
    vectors = np.zeros((2, 1, 4))
    vectors[:, 0] = [[5, -5, 0, 0], [0, 0, 5, -5]]
    colors = flow_colors(vectors, 5.0)[0]
    assert len({tuple(color) for color in colors}) == 4 and tuple(colors[0]) == (255, 64, 64)
    # Half as fast in the same direction: half way to white.
    assert tuple(flow_colors(vectors / 2, 5.0)[0, 0]) == (255, 159, 159)
    assert (flow_wheel(32)[0, 0] == 255).all()


def test_heat_grows_lighter() -> None:
    lightness = heat(np.linspace(0, 3, 20)[None], 3.0).astype(int).sum(-1)[0]
    assert (np.diff(lightness) > 0).all() and lightness[0] == 4
