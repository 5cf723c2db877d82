"""Whether an encoder that was tuned for one network serves another.

    python -m benchmarks.tuned_for_another_network --data camvid --videos videos --network runs/seg --network runs/unet
        --out results [--quality 0,6,12,20] [--frames 24] [--first 0] [KEY=VALUE]...

For each network, the encoder of the shipped weights is tuned on ``--videos`` by ``scaleflow train --preset task`` with
the changes that are given, and exported. ``scaleflow task-rd`` then measures all of them, and the encoder as it is, by
what every network finds in ``--data``. Printed is the rate at equal measure against the encoder as it is: a row for
each network that was tuned for, a column for each that looks. Runs and points lie in ``--out``, and what was stopped
goes on.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Sequence
from pathlib import Path

from scaleflow.errors import DataError
from scaleflow.evaluation.rate_distortion.codec_programs import scaleflow_command
from scaleflow.evaluation.statistics.bd_rate import NoOverlapError
from scaleflow.evaluation.task_rate_distortion.curves import TaskCurve, task_bd_rate, task_curves
from scaleflow.evaluation.task_rate_distortion.task_point import read_task_points

PLAIN = "scaleflow"


def run(*arguments: object) -> None:
    """A command of ScaleFlow. Raises :class:`subprocess.CalledProcessError` where it fails."""
    subprocess.run([*scaleflow_command(), *map(str, arguments)], check=True)


def tuned_encoder(network: Path, options: argparse.Namespace) -> Path:
    """Weights of an encoder that was tuned for a network; made where they are not there."""
    folder = options.out / f"for-{network.stem}"
    weights: Path = folder / "encoder.safetensors"
    if not weights.is_file():
        settings = (f"data.path={options.videos}", f"task.network={network}", *options.changes)
        given = ("--resume",) if (folder / "config.yaml").is_file() else ("--preset", "task", *settings)
        run("train", "--out", folder, "--threads", 1, *given)
        run("export", folder / "last.ckpt", weights)
    return weights


def cell(curves: Sequence[TaskCurve], codec: str, looked: str) -> str:
    """Rate at equal measure of a codec against the encoder as it is, for one network."""
    ours, plain = (next(c for c in curves if (c.codec, c.looked) == (name, looked)) for name in (codec, PLAIN))
    try:
        return f"{task_bd_rate(ours, plain).percent:+.1f} %"
    except (NoOverlapError, DataError) as error:
        return str(error).splitlines()[0]


def table(curves: Sequence[TaskCurve]) -> list[str]:
    """Rows of BD-rates."""
    looks = list(dict.fromkeys(curve.looked for curve in curves))
    codecs = [name for name in dict.fromkeys(curve.codec for curve in curves) if name != PLAIN]
    lines = ["| tuned | " + " | ".join(looks) + " |", "|---" * (1 + len(looks)) + "|"]
    return lines + [f"| {name} | " + " | ".join(cell(curves, name, look) for look in looks) + " |" for name in codecs]


def main() -> None:
    """Tune, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="labelled, as of scaleflow task-rd")
    parser.add_argument("--videos", type=Path, required=True, help="a folder of videos, to tune on")
    parser.add_argument("--network", type=Path, action="append", required=True, help="a run; names differ")
    parser.add_argument("--quality", default="0,6,12,20")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="of the configuration of training")
    options = parser.parse_args()
    encoders = {f"for-{network.stem}": tuned_encoder(network, options) for network in options.network}
    codecs = [PLAIN, *(f"{name}={PLAIN} --weights {weights}" for name, weights in encoders.items())]
    named = [("--codec", codec) for codec in codecs] + [("--network", network) for network in options.network]
    part = ("--quality", options.quality, "--first", options.first, "--frames", options.frames)
    results = options.out / "results"
    run("task-rd", "--data", options.data, "--out", results, *part, *(word for pair in named for word in pair))
    print(f"Rate at equal measure against {PLAIN}, columns by the network that looks.\n")
    print("\n".join(table(task_curves(read_task_points(results)))))


if __name__ == "__main__":
    main()
