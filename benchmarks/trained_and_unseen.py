"""Rate against x264 on clips that a model was trained on, and on clips that it never saw.

    python -m benchmarks.trained_and_unseen --trained A.mp4 B.mp4 --unseen C.mp4 D.mp4 --out results
        [--weights mine.safetensors] [--frames 17] [--reduce 2] [--shift 6,6]

What a model needs more on unseen clips is lack of data; what it needs more on both is the network, or its training.
Clips are reduced by two, which takes away the grid that compressed sources have, and only their first pictures are
coded. The points lie in ``--out`` as those of ``scaleflow rd`` do, and a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from scaleflow.cli.threads import set_threads
from scaleflow.evaluation.rate_distortion.clip_change import ClipChange
from scaleflow.evaluation.rate_distortion.clip_files import ClipFile, find_clips
from scaleflow.evaluation.rate_distortion.codec_software import check_codecs
from scaleflow.evaluation.rate_distortion.codecs import parse_codec
from scaleflow.evaluation.rate_distortion.measure_point import MeasuringSettings
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.rate_distortion.sweep import measure
from scaleflow.evaluation.statistics.bd_rate_summary import bd_rate_cell

METRICS = ("psnr-yuv", "psnr-y")
ANCHOR = "x264"
SIDES = ("trained", "unseen")


def measure_side(
    clips: Sequence[ClipFile], out: Path, change: ClipChange, options: argparse.Namespace
) -> list[RatePoint]:
    """Points of the model and of the anchor on the clips of one side.

    Raises:
        RuntimeError: a point could not be measured.
    """
    ours = "scaleflow" if options.weights is None else f"scaleflow=scaleflow --weights {options.weights}"
    codecs = [parse_codec(ours, options.quality), parse_codec(ANCHOR)]
    program = check_codecs(codecs, None)
    settings = MeasuringSettings(METRICS, threads=1, ffmpeg=program)
    found = measure(clips, codecs, settings, out, change=change, frames=options.frames, workers=options.workers)
    if found.problems:
        raise RuntimeError(found.problems[0])
    return found.points


def table(points: dict[str, list[RatePoint]]) -> list[str]:
    """Rows of the BD-rates of each clip, and their means of both sides."""
    lines = ["| side | clip | " + " | ".join(METRICS) + " |", "|---" * (2 + len(METRICS)) + "|"]
    for side, measured in points.items():
        cells = [bd_rate_cell(measured, "scaleflow", ANCHOR, metric) for metric in METRICS]
        names = dict.fromkeys(name for cell in cells for name in cell.get("each", {}))
        for name in names:
            values = [cell.get("each", {}).get(name) for cell in cells]
            shown = " | ".join("none" if value is None else f"{value:+.1f} %" for value in values)
            lines.append(f"| {side} | {name} | {shown} |")
        means = [f"**{cell['percent']:+.1f} %**" if "percent" in cell else str(cell["problem"]) for cell in cells]
        lines.append(f"| {side} | mean of {len(names)} | " + " | ".join(means) + " |")
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for side in SIDES:
        parser.add_argument(f"--{side}", nargs="+", required=True, help="videos or folders of videos")
    parser.add_argument("--weights", type=Path, help="instead of the shipped ones")
    parser.add_argument("--quality", type=float, nargs="+", default=[8.0, 20.0, 32.0, 44.0, 56.0])
    parser.add_argument("--frames", type=int, default=17)
    parser.add_argument("--reduce", type=int, default=2)
    parser.add_argument("--shift", default="0,0")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    set_threads(1)
    x, y = (int(part) for part in options.shift.split(","))
    change = ClipChange((x, y), options.reduce)
    points = {}
    for side in SIDES:
        clips = find_clips(getattr(options, side))
        points[side] = measure_side(clips, options.out / side, change, options)
    after = f", after {change}" if str(change) else ""
    print(f"Rate against {ANCHOR} at equal quality, first {options.frames} pictures{after}.\n")
    print("\n".join(table(points)))


if __name__ == "__main__":
    main()
