"""``scaleflow nets make-small-objects`` and ``make-actions``: data that are made of real videos."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from scaleflow.cli.console import ProgressReport
from scaleflow.cli.values import parse_size

Backgrounds = Annotated[
    list[Path],
    typer.Argument(metavar="BACKGROUND...", help="Videos, or folders of videos, at least two.", show_default=False),
]
Out = Annotated[Path, typer.Option(help="Folder that is made.", show_default=False)]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same data.")]


def make_small_objects(
    backgrounds: Backgrounds,
    out: Out,
    videos: Annotated[int, typer.Option(min=1, help="To train on.")] = 40,
    validation: Annotated[int, typer.Option(min=1, help="Others, over backgrounds of their own.")] = 8,
    frames: Annotated[int, typer.Option(min=1, help="Of each video.")] = 24,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT of the frames.")] = "480x272",
    least: Annotated[float, typer.Option(help="Smallest side of an object, in samples.")] = 9.0,
    most: Annotated[float, typer.Option(help="Largest side of an object, in samples.")] = 64.0,
    seed: Seed = 0,
) -> None:
    """Make videos with small moving objects over real ones, with boxes in COCO's form, for detection."""
    from scaleflow.efficient_nets.data.generated import small_objects

    settings = small_objects.SmallObjects(videos, validation, frames, parse_size(size), sides=(least, most), seed=seed)
    with ProgressReport(use_json=False) as report:
        small_objects.make_small_objects(backgrounds, out, settings, _shown(report, "videos"))


def make_actions(
    backgrounds: Backgrounds,
    out: Out,
    clips: Annotated[int, typer.Option(min=1, help="Of each action, to train on.")] = 30,
    validation: Annotated[int, typer.Option(min=1, help="Others of each, over backgrounds of their own.")] = 9,
    frames: Annotated[int, typer.Option(min=8, help="Of each clip.")] = 40,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT of the frames.")] = "112x112",
    seed: Seed = 0,
) -> None:
    """Make short videos of eight kinds of motion over real videos, in three grades, for action recognition."""
    from scaleflow.efficient_nets.data.generated import actions

    settings = actions.Actions(clips, validation, frames, parse_size(size), seed)
    with ProgressReport(use_json=False) as report:
        actions.make_actions(backgrounds, out, settings, _shown(report, "clips"))


def _shown(report: ProgressReport, what: str) -> Callable[[int, int], None]:
    started = time.monotonic()
    return lambda done, total: report.update(what, done, total, time.monotonic() - started, f"{done}/{total}", {})
