"""Puts a report together and writes it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scaleflow.errors import UsageError
from scaleflow.evaluation.metrics.names import LOWER_IS_BETTER
from scaleflow.evaluation.plot.curve_sources import PlottedCurve, curves_of_points
from scaleflow.evaluation.plot.metric_scale import axis_label, metric_title, metric_unit
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.rate_distortion.results import read_points
from scaleflow.evaluation.report.clip_pictures import data_uri, describe_clip
from scaleflow.evaluation.report.codec_summary import summarise_codecs
from scaleflow.evaluation.report.found_pictures import FoundPictures
from scaleflow.evaluation.report.offline_page import offline_page
from scaleflow.evaluation.report.settings import ReportSettings
from scaleflow.evaluation.report.stream_maps import flow_wheel
from scaleflow.evaluation.report.stream_pictures import CachedModels
from scaleflow.evaluation.report.task_summary import summarise_task
from scaleflow.evaluation.statistics.decibels import column_in_decibels, in_decibels
from scaleflow.evaluation.task_rate_distortion.task_point import TaskPoint, read_task_points
from scaleflow.optional_packages import require_packages
from scaleflow.output_file import check_output, write_whole_file

logger = logging.getLogger(__name__)

SCRIPTS = ("chart.js", "comparison.js", "task.js", "report.js")


def check_report_output(path: Path, overwrite: bool) -> None:
    """Raises :class:`UsageError` where the output is no .html file, or exists already."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{path}: reports are HTML; end the name with .html")
    check_output(str(path), overwrite)


def write_report(
    folder: Path,
    output: Path,
    settings: ReportSettings | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """Write a report on a results folder: one HTML file that asks for nothing over a network.

    Args:
        folder: what ``scaleflow rd`` or ``scaleflow task-rd`` wrote.
        output: a .html file.
        settings: what to show.
        overwrite: replace an output that exists.
        progress: called before each clip with its name, how many are done and how many there are.

    Raises:
        UsageError: the output exists, or there is no such folder, clip or codec.
        DataError: the folder holds no points or a damaged one, or writing fails; nothing is kept.
    """
    settings = settings or ReportSettings()
    check_report_output(output, overwrite)
    require_packages("a report", "evaluate", ["bjontegaard", "PIL"])
    points = points_of_clips(folder, settings.clips)
    clips = list(dict.fromkeys(point.clip.name for point in points))
    models = CachedModels(settings.device, settings.models, settings.weights_folder, settings.decoder_weights)
    tasks = read_task_points(folder)
    seen = _found_pictures(folder, settings, tasks)
    described = []
    for number, name in enumerate(clips):
        if progress is not None:
            progress(name, number, len(clips))
        of_clip = [point for point in points if point.clip.name == name]
        described.append(describe_clip(folder, of_clip, settings, models, tasks, seen))
    names = list(dict.fromkeys(name for point in points for name in point.metrics))
    content = {
        "title": folder.resolve().name,
        "summary": summarise_codecs(points, settings.anchor),
        "task": summarise_task(tasks, settings.anchor),
        "metrics": [
            {
                "name": n,
                "title": metric_title(n),
                "unit": metric_unit(n),
                "axis": axis_label(n),
                "lowerIsBetter": n in LOWER_IS_BETTER,
            }
            for n in names
        ],
        "curves": [_describe_curve(c) for name in (None, *clips) for c in curves_of_points(points, name)],
        "clips": described,
        "flowWheel": data_uri(flow_wheel()),
    }
    write_whole_file(str(output), page(content).encode("utf-8"), overwrite)


def _found_pictures(folder: Path, settings: ReportSettings, tasks: Sequence[TaskPoint]) -> FoundPictures | None:
    if settings.network is None:
        return None
    if not tasks:
        raise UsageError(
            f"network {settings.network}: {folder} holds no points of a task, which scaleflow task-rd makes",
            fields=("network",),
        )
    return FoundPictures(settings.network, settings.labels, tasks)


def page(content: dict[str, Any]) -> str:
    """The HTML of a report."""
    return offline_page("scaleflow.evaluation.report", "report.html", SCRIPTS, "report.css", content)


def points_of_clips(folder: Path, clips: Sequence[str]) -> list[RatePoint]:
    """Points of a results folder: of the clips of these names, or of all where there are none.

    Raises:
        UsageError: there is no such folder, or it has no such clip.
        DataError: the folder holds no points or a damaged one.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; give one that scaleflow rd wrote")
    points = read_points(folder)
    names = sorted({point.clip.name for point in points})
    for clip in clips:
        if clip not in names:
            raise UsageError(f"clip {clip!r} was not measured; there are {', '.join(names)}")
    return [point for point in points if not clips or point.clip.name in clips]


def _describe_curve(plotted: PlottedCurve) -> dict[str, Any]:
    curve = plotted.curve
    return {
        "codec": curve.codec,
        "clip": curve.clip,
        "clips": plotted.clips,
        "settings": curve.settings,
        "rates": {"bpp": curve.bits_per_pixel, "bitrate": curve.bitrate},
        "values": {name: column_in_decibels(name, values) for name, values in curve.metrics.items()},
        "intervals": {
            name: [[in_decibels(name, end) for end in pair] for pair in pairs]
            for name, pairs in plotted.intervals.items()
        },
    }
