"""The part of a report that shows a clip: codecs at about one rate, their pictures and maps."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scaleflow.errors import ScaleFlowError
from scaleflow.evaluation.rate_distortion.point import EvaluatedClip, RatePoint
from scaleflow.evaluation.report.found_pictures import FoundPictures
from scaleflow.evaluation.report.matched_points import common_rate, nearest_points, spread_pictures
from scaleflow.evaluation.report.region_outlines import region_outlines
from scaleflow.evaluation.report.settings import ReportSettings
from scaleflow.evaluation.report.stream_maps import analyse_pictures, draw_region, stream_maps
from scaleflow.evaluation.report.stream_pictures import CachedModels, ChosenPictures, Rgb, read_original, read_pictures
from scaleflow.evaluation.report.task_summary import frame_strips
from scaleflow.evaluation.statistics.decibels import column_in_decibels, in_decibels
from scaleflow.evaluation.task_rate_distortion.task_point import TaskPoint

logger = logging.getLogger(__name__)


def describe_clip(
    folder: Path,
    points: Sequence[RatePoint],
    settings: ReportSettings,
    models: CachedModels,
    tasks: Sequence[TaskPoint] = (),
    seen: FoundPictures | None = None,
) -> dict[str, Any]:
    """All that a report shows of one clip. What cannot be decoded or found is said in ``problem``, not raised.

    Args:
        tasks: what networks found in what was coded.
        seen: draws what a network finds.
    """
    clip = points[0].clip
    rate = settings.bits_per_pixel or common_rate(points)
    numbers = spread_pictures(clip.frames, settings.pictures)
    read, problem = _original(clip, numbers)
    original = None if read is None else read.pictures
    chosen = nearest_points(points, rate)
    found, found_problem = _found_in_original(clip, original, seen)
    outlines, outlines_problem = _outlines(points[0], numbers if original else ())
    return {
        "name": clip.name,
        "width": clip.width,
        "height": clip.height,
        "frames": clip.frames,
        "frameRate": clip.frame_rate,
        "bitDepth": clip.bit_depth,
        "rate": rate,
        "pictures": list(numbers),
        "original": None if original is None else [data_uri(original[number]) for number in numbers],
        "problem": problem,
        "found": found,
        "foundProblem": found_problem,
        "strips": frame_strips(tasks, clip.name, chosen),
        "outlines": outlines,
        "outlinesProblem": outlines_problem,
        "points": [_describe_point(folder, point, numbers, models, read, seen) for point in chosen],
    }


def _original(clip: EvaluatedClip, numbers: Sequence[int]) -> tuple[ChosenPictures | None, str | None]:
    if not numbers:
        return None, "No pictures were asked for."
    try:
        return read_original(clip, numbers), None
    except ScaleFlowError as error:
        logger.warning("%s: the report has no pictures of it: %s", clip.name, error)
        return None, f"The original was not found where it was measured, so no pictures are shown: {error}."


def _found_in_original(
    clip: EvaluatedClip, original: dict[int, Rgb] | None, seen: FoundPictures | None
) -> tuple[dict[str, Any] | None, str | None]:
    """The originals with what is found in them, and with their labels where there are some."""
    if original is None or seen is None:
        return None, None
    found = {number: seen.found_in(picture) for number, picture in original.items()}
    try:
        labels = {number: seen.labelled(clip.name, number, picture) for number, picture in original.items()}
    except ScaleFlowError as error:
        logger.warning("%s: the report does not show its labels: %s", clip.name, error)
        return {"original": _uris(found), "labels": None}, f"Labels are not shown: {error}."
    drawn = {number: picture for number, picture in labels.items() if picture is not None}
    return {"original": _uris(found), "labels": _uris(drawn) or None}, None


def _uris(pictures: dict[int, Rgb]) -> list[str]:
    return [data_uri(pictures[number]) for number in sorted(pictures)]


def _outlines(point: RatePoint, numbers: Sequence[int]) -> tuple[list[str] | None, str | None]:
    if not (numbers and point.clip.masks):
        return None, None
    try:
        drawn = region_outlines(point.clip, point.frames.times, numbers)
    except ScaleFlowError as error:
        logger.warning("%s: the report has no outline of its region: %s", point.clip.name, error)
        return None, f"The masks were not found where they were, so the region's outline is not shown: {error}."
    return [data_uri(picture) for picture in drawn], None


def _describe_point(
    folder: Path,
    point: RatePoint,
    numbers: Sequence[int],
    models: CachedModels,
    original: ChosenPictures | None,
    seen: FoundPictures | None,
) -> dict[str, Any]:
    path = folder / point.stream
    described: dict[str, Any] = {
        "codec": point.codec,
        "setting": point.setting,
        "bitsPerPixel": point.bits_per_pixel,
        "bitrate": point.bitrate,
        "bitsByKind": point.bits_per_pixel_by_kind,
        "metrics": {name: in_decibels(name, value) for name, value in point.metrics.items()},
        "times": point.frames.times,
        "bits": point.frames.bits,
        "kinds": point.frames.kinds,
        "values": {name: column_in_decibels(name, values) for name, values in point.frames.metrics.items()},
        "images": None,
        "found": None,
        "maps": None,
        "outlines": None,
        "problem": None,
        "mapsProblem": None,
    }
    if original is None:
        return described
    try:
        found = read_pictures(path, numbers, models.as_measured(point), original.properties).pictures
        described["images"] = [data_uri(found[number]) for number in numbers]
        if seen is not None:
            described["found"] = [data_uri(seen.found_in(found[number])) for number in numbers]
    except ScaleFlowError as error:
        logger.warning("%s: the report has no pictures of it: %s", path, error)
        described["problem"] = str(error)
        return described
    if path.suffix == ".sfv":
        try:
            analysed = analyse_pictures(path, numbers, models.choose)
            described["maps"] = [
                [{"title": m.title, "image": data_uri(m.image), "range": m.range, "isFlow": m.is_flow} for m in maps]
                for maps in stream_maps(analysed).values()
            ]
            regions = [draw_region(analysed[number]) for number in numbers]
            described["outlines"] = (
                [None if one is None else data_uri(one) for one in regions]
                if any(one is not None for one in regions)
                else None
            )
        except ScaleFlowError as error:
            described["mapsProblem"] = str(error)
    return described


def data_uri(picture: Rgb, method: int = 4) -> str:
    """A picture (height, width, 3), or with transparency (height, width, 4), as lossless WebP in a data URI.

    ``method`` is WebP's, 0..6: less takes less time; 2 takes half the time of 4 or less, for nearly the same size.
    """
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(picture).save(data, format="WEBP", lossless=True, quality=60, method=method)
    return "data:image/webp;base64," + base64.b64encode(data.getvalue()).decode()
