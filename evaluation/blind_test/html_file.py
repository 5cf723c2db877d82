"""Puts a blind test together and writes it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scaleflow.errors import UsageError
from scaleflow.evaluation.blind_test.concealment import conceal
from scaleflow.evaluation.blind_test.settings import BlindTestSettings
from scaleflow.evaluation.blind_test.trial_pictures import EmbeddedPictures, ShownTrial, show_trials
from scaleflow.evaluation.blind_test.trials import plan_trials
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.report.html_file import check_report_output, points_of_clips
from scaleflow.evaluation.report.offline_page import offline_page
from scaleflow.evaluation.report.settings import ReportSettings
from scaleflow.evaluation.report.stream_pictures import CachedModels
from scaleflow.evaluation.votes.votes_file import FORMAT, ShownPoint
from scaleflow.optional_packages import require_packages
from scaleflow.output_file import write_whole_file
from scaleflow.version import scaleflow_version

logger = logging.getLogger(__name__)

SCRIPTS = ("concealment.js", "pair-view.js", "ballot.js", "blind-test.js")

LARGEST_PAGE = 200 << 20
"""Bytes: browsers hold a page in memory several times."""


def write_blind_test(
    folder: Path,
    output: Path,
    report: ReportSettings | None = None,
    settings: BlindTestSettings | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Write a page on which a person compares pictures of codecs at equal rate without knowing which is which.

    It is one HTML file that asks for nothing over a network. Names of codecs and clips are concealed in it until all
    pairs are judged; then it saves what :func:`scaleflow.evaluation.votes.votes_file.read_votes` reads.

    Args:
        folder: what ``scaleflow rd`` wrote.
        output: a .html file.
        report: clips, pictures of each, the rate, and how streams are decoded, as of a report. Without a rate, pairs
            of all rates are shown.
        settings: which pairs are shown.
        overwrite: replace an output that exists.
        progress: called before each clip with its name, how many are done and how many there are.

    Returns:
        How many pairs the page has: fewer than were asked for where there are not so many.

    Raises:
        UsageError: the output exists, there is no such folder, clip or codec, no two points are of nearly equal rate,
            or the page would be too large.
        DataError: the folder holds no points or a damaged one, nothing can be decoded, or writing fails; nothing is
            kept.
    """
    report, settings = report or ReportSettings(), settings or BlindTestSettings()
    check_report_output(output, overwrite)
    require_packages("a blind test", "evaluate", ["PIL"])
    trials = plan_trials(points_of_clips(folder, report.clips), report, settings)
    models = CachedModels(report.device, report.models, report.weights_folder, report.decoder_weights)
    embedded = EmbeddedPictures()
    shown = show_trials(folder, trials, models, embedded, progress)
    content = _content(shown, embedded, settings.seed)
    data = offline_page("scaleflow.evaluation.blind_test", "blind-test.html", SCRIPTS, "blind-test.css", content)
    page = data.encode("utf-8")
    if len(page) > LARGEST_PAGE:
        raise UsageError(
            f"pairs {settings.pairs} make a page of {len(page) >> 20} MiB, more than the {LARGEST_PAGE >> 20} MiB that "
            "browsers take: ask for fewer pairs",
            fields=("pairs",),
        )
    write_whole_file(str(output), page, overwrite)
    return len(shown)


def _content(shown: Sequence[ShownTrial], embedded: EmbeddedPictures, seed: int) -> dict[str, Any]:
    """What the page's scripts are given. Nothing but the concealed text names a codec, a clip or this program."""
    open_part = {
        "seed": seed,
        "images": embedded.images,
        "pairs": [
            {
                "mode": one.trial.mode,
                "frameRate": one.trial.left.clip.frame_rate,
                "width": one.part.width,
                "height": one.part.height,
                "left": one.left,
                "right": one.right,
                "original": one.original,
            }
            for one in shown
        ],
    }
    hidden = {
        "format": FORMAT,
        "version": scaleflow_version(),
        "pairs": [
            {
                "clip": one.trial.left.clip.name,
                "mode": one.trial.mode,
                "first_picture": one.trial.numbers[0],
                "pictures": len(one.trial.numbers),
                "left": asdict(_shown_point(one.trial.left)),
                "right": asdict(_shown_point(one.trial.right)),
            }
            for one in shown
        ],
    }
    text = json.dumps(hidden, allow_nan=False)
    page = hashlib.sha256((json.dumps(open_part, allow_nan=False) + text).encode()).hexdigest()[:32]
    return {"page": page, **open_part, "concealed": conceal(text, page)}


def _shown_point(point: RatePoint) -> ShownPoint:
    return ShownPoint(point.codec, point.setting, point.file_bytes, point.bits_per_pixel)
