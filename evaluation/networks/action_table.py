"""Results of action recognition as a table."""

from __future__ import annotations

from collections.abc import Sequence

from scaleflow.evaluation.networks.point import NetworkPoint


def action_table(points: Sequence[NetworkPoint]) -> list[str]:
    """Lines of a table: frames, accuracy and costs of a video, on average, and both by grade where there are grades."""
    grades = [name.removeprefix("accuracy ") for name in points[0].measures if name.startswith("accuracy ")]
    columns = ["method", "settings", "frames", "accuracy", *(f"{grade}: accuracy, frames" for grade in grades)]
    columns += ["GMAC a video", "ms a video"]
    return [_row(columns), "|---" * len(columns) + "|", *(_row(_cells(point, grades)) for point in points)]


def _cells(point: NetworkPoint, grades: Sequence[str]) -> list[str]:
    def shown(name: str) -> str:
        value = point.measures.get(name)
        return "-" if value is None else f"{value:.1f}"

    by_grade = [f"{shown(f'accuracy {grade}')}, {shown(f'frames {grade}')}" for grade in grades]
    costs = [f"{point.macs / 1e9:.3f}", f"{1000 * point.seconds:.0f}"]
    return [point.identity.method, point.identity.settings, shown("frames"), shown("accuracy"), *by_grade, *costs]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
