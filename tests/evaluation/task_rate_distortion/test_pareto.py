"""Which points no other beats, of values that are known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scaleflow.errors import UsageError
from scaleflow.evaluation.plot import draw_pareto_figure
from scaleflow.evaluation.task_rate_distortion.curves import curves_over_cost
from scaleflow.evaluation.task_rate_distortion.pareto import on_surface
from scaleflow.evaluation.task_rate_distortion.tables import task_lines
from scaleflow.evaluation.task_rate_distortion.task_point import UNCOMPRESSED, TaskPoint
from tests.evaluation.task_rate_distortion.test_curves import point


def costing(made: TaskPoint, gmac: float, measure: str = "miou") -> TaskPoint:
    network = replace(made.network, macs=gmac * 1e9, measure=measure, measures={measure: made.network.measures["miou"]})
    return replace(made, network=network)


def points() -> list[TaskPoint]:
    return [
        costing(point(UNCOMPRESSED, None, 60), 2),
        costing(point("x264", 0.2, 50), 2),
        costing(point("x264", 0.2, 45, "skip-conv"), 1),
        costing(point("x265", 0.2, 50), 2),
        costing(point("x265", 0.3, 50), 2),
        costing(point("x265", 0.1, 45, "skip-conv"), 1),
        costing(point("x265", 0.4, 70), 1, "j"),
    ]


def test_who_is_not_better_in_any_of_the_three_is_beaten() -> None:
    # equals do not beat each other; another measure is another surface
    assert on_surface(points()) == [None, True, False, True, False, True, True]


def test_points_without_a_measure_are_on_no_surface() -> None:
    unknown = points()[1]
    network = replace(unknown.network, measures={"miou": None})
    assert on_surface([replace(unknown, network=network), *points()[1:3]]) == [None, True, True]


def test_other_videos_are_no_competition() -> None:
    better = points()[5]
    others = replace(better, record=replace(better.record, streams={"another": "hash"}))
    assert on_surface([others, points()[2]]) == [True, True]


def test_the_surface_is_printed_by_rate() -> None:
    lines = task_lines(points()[:-1], "x264")
    start = lines.index("3 of 5 settings, which no other beats in all three:")
    assert [line.split()[:4] for line in lines[start + 2 :]] == [
        ["0.1000", "45.00", "1", "x265"],
        ["0.2000", "50.00", "2", "x264"],
        ["0.2000", "50.00", "2", "x265"],
    ]


def test_curves_over_cost_are_of_the_same_pictures() -> None:
    found = curves_over_cost(points()[:-1])
    assert [(curve.codec, curve.metrics["gmac"]) for curve in found] == [
        (UNCOMPRESSED, (2.0,)),
        ("x264", (1.0, 2.0)),
        ("x265", (2.0,)),
        ("x265", (2.0,)),
        ("x265", (1.0,)),
    ]
    assert found[1].settings == ("skip-conv", "dense, at several sizes".removesuffix(", at several sizes"))


def test_colours_are_costs_and_lines_are_budgets() -> None:
    figure = draw_pareto_figure(points())
    panels = [axis for axis in figure.axes if axis.get_xlabel()]
    assert [panel.get_ylabel() for panel in panels] == ["Mean IoU (%)", "J (%)"]
    drawn = [line for line in panels[0].lines if line.get_gid()]
    kinds = [line.get_gid() for line in drawn]
    assert kinds.count("surface") == 3 and kinds.count("beaten") == 2 and kinds.count("budget") == 2
    cheap, dear = (line for line in drawn if line.get_gid() == "budget")
    assert list(cheap.get_ydata()) == [45] and list(dear.get_ydata()) == [45, 50]
    with pytest.raises(UsageError, match="no point of a task"):
        draw_pareto_figure(points()[:1])
