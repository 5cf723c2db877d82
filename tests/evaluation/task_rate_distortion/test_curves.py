"""Curves of tasks over the rate: what was lost, and BD-rates with intervals, of values that are known."""

from __future__ import annotations

import math

import pytest

from scaleflow.evaluation.networks.point import MeasuredPart, NetworkFrames, NetworkPoint, PointIdentity
from scaleflow.evaluation.task_rate_distortion.curves import rate_of_loss, task_bd_rate, task_curves
from scaleflow.evaluation.task_rate_distortion.tables import task_lines, task_row
from scaleflow.evaluation.task_rate_distortion.task_point import UNCOMPRESSED, TaskPoint, TaskRecord

PARTS = 5


def network_point(value: float, method: str = "dense", frames: int = 50) -> NetworkPoint:
    """``value`` is the measure; parts differ from it by one to each side."""
    identity = PointIdentity("resnet", "weights", "segmentation", "data", str(value), method, "", (96, 72), 1)
    size = frames // PARTS
    columns = NetworkFrames(
        ["a"] * frames, [True] * frames, [10] * frames, [10] * frames, [0.1] * frames, [0.1] * frames
    )
    parts = [MeasuredPart("a", n * size, size, value + (n - 2) / 2) for n in range(PARTS)]
    measures: dict[str, float | None] = {"miou": value}
    return NetworkPoint(
        identity, "miou", measures, measures, {}, None, None, 2e9, 2e9, 2e12, 2e9, 2e12, 0.1, 0.1, {}, columns, parts
    )


def point(codec: str, rate: float | None, value: float, method: str = "dense") -> TaskPoint:
    rates = [] if rate is None else [rate * (1 + 0.1 * n) for n in range(PARTS)]
    record = TaskRecord(codec, "", f"at {rate}", rate, rate, {}, {"psnr-yuv": 30.0}, rates, f"{codec}{rate}{method}")
    return TaskPoint(record, network_point(value, method))


def curve(codec: str, factor: float, method: str = "dense") -> list[TaskPoint]:
    """Ten points of the measure for each doubling of the rate, up to 60."""
    return [point(codec, factor * 0.1 * 2**n, 30 + 10 * n, method) for n in range(4)]


@pytest.fixture
def points() -> list[TaskPoint]:
    return [point(UNCOMPRESSED, None, 60.0), *curve("anchor", 1.0), *curve("cheaper", 0.8)]


def test_curves_are_of_codecs_and_know_what_is_best(points: list[TaskPoint]) -> None:
    anchor, cheaper = task_curves(points)
    assert (anchor.codec, anchor.looked, anchor.measure) == ("anchor", "dense", "miou")
    assert anchor.curve.bits_per_pixel == pytest.approx((0.1, 0.2, 0.4, 0.8))
    assert anchor.curve.metrics["miou"] == (30, 40, 50, 60)
    assert anchor.curve.metrics["gmac"] == (2.0,) * 4 and anchor.curve.metrics["psnr-yuv"] == (30.0,) * 4
    assert cheaper.uncompressed["miou"] == 60 and len(cheaper.parts) == PARTS


def test_the_rate_of_a_loss_is_interpolated_in_its_logarithm(points: list[TaskPoint]) -> None:
    anchor, _ = task_curves(points)
    assert rate_of_loss(anchor, 0.0) == pytest.approx(0.8)
    # 57 lies three tenths of the way from 60 down to 50
    assert rate_of_loss(anchor, 0.05) == pytest.approx(0.8 * 2**-0.3)
    assert rate_of_loss(anchor, 0.6) is None
    (unknown,) = task_curves(curve("anchor", 1.0))
    assert rate_of_loss(unknown, 0.05) is None


def test_bd_rate_has_the_interval_of_the_parts(points: list[TaskPoint]) -> None:
    anchor, cheaper = task_curves(points)
    found = task_bd_rate(cheaper, anchor)
    assert found.percent == pytest.approx(-20, abs=0.1)
    assert found.interval == pytest.approx((-20, -20), abs=0.1)
    assert task_bd_rate(anchor, cheaper).percent == pytest.approx(25, abs=0.1)


def test_a_part_of_which_nothing_is_known_is_left_out(points: list[TaskPoint]) -> None:
    anchor, cheaper = task_curves(points)
    unknown = cheaper.parts[0].__class__(**{**vars(cheaper.parts[0]), "metrics": {"miou": (math.nan,) * 4}})
    found = task_bd_rate(cheaper.__class__(**{**vars(cheaper), "parts": (unknown, *cheaper.parts[1:])}), anchor)
    assert found.interval == pytest.approx((-20, -20), abs=0.1)
    few = cheaper.__class__(**{**vars(cheaper), "parts": cheaper.parts[:2]})
    assert task_bd_rate(few, anchor).interval is None


def test_methods_are_curves_of_their_own(points: list[TaskPoint]) -> None:
    both = [*points, *curve("anchor", 1.0, "skip-conv")]
    assert [(found.codec, found.looked) for found in task_curves(both)] == [
        ("anchor", "dense"),
        ("cheaper", "dense"),
        ("anchor", "skip-conv"),
    ]
    text = "\n".join(task_lines(both, "anchor"))
    assert "miou of dense, 60.00 of uncompressed pictures" in text and "-20.0 % [-20, -20]" in text
    assert "miou of skip-conv\n" in text


def test_rows_have_all_that_was_measured(points: list[TaskPoint]) -> None:
    row = task_row(points[1])
    assert (row["codec"], row["bpp"], row["psnr-yuv"], row["miou"], row["macs"]) == ("anchor", 0.1, 30.0, 30, 2e9)
