"""``scaleflow roi make``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from scaleflow.cli import options, region_options
from scaleflow.cli.console import ProgressReport, check_json, console, print_json
from scaleflow.cli.threads import set_threads
from scaleflow.cli.video_source import check_input, exit_if_damaged, video_source

if TYPE_CHECKING:
    from scaleflow.roi.make_masks import MakingProgress


def make(
    source: options.VideoInput,
    output: Annotated[
        str,
        typer.Argument(
            metavar="OUTPUT",
            help="mkv, mp4, mov, webm, y4m, a folder or pattern of pictures, or - for standard output (y4m).",
            show_default=False,
        ),
    ],
    finder: Annotated[
        str,
        typer.Option(
            "--from",
            help="What finds the regions: motion or saliency, or with a network segmentation, foreground, detection or "
            "keypoints.",
            show_default=False,
        ),
    ],
    network: region_options.FinderNetwork = None,
    classes: region_options.FinderClasses = None,
    frames: options.Frames = None,
    threads: options.Threads = None,
    *,
    raw: options.RawOptions,
    written: options.OutputOptions,
) -> None:
    """Make masks of a video's regions of interest: grey, without loss, a mask for each picture."""
    check_json(written.json, output)
    video = video_source(source, raw)
    check_input(source, raw)

    from scaleflow.roi.make_masks import make_masks

    chosen = region_options.region_finder(finder, network, classes)
    set_threads(threads)
    with ProgressReport(written.json) as report:
        made = make_masks(
            video,
            output,
            chosen,
            frames=frames,
            overwrite=written.overwrite,
            progress=lambda now: _show(report, now),
        )
    if written.json:
        record = {"masks": made.masks, "mean_share": made.mean_share, "seconds": made.seconds}
        print_json({"event": "summary", "output": output, **record})
    elif console.is_terminal:
        console.print(
            f"{output}: {made.masks} masks, {100 * made.mean_share:.1f} % of the pictures inside", markup=False
        )
    exit_if_damaged(made.damage, raw)


def _show(report: ProgressReport, now: MakingProgress) -> None:
    """Where the making of masks stands."""
    speed = now.masks / now.seconds if now.seconds > 0 else 0.0
    details = f"{now.masks} masks, {speed:.1f}/s, {100 * now.share:.0f} % inside"
    record = {"masks": now.masks, "total": now.total, "seconds": round(now.seconds, 3), "share": round(now.share, 4)}
    report.update("masks", now.masks, now.total, now.seconds, details, record)
