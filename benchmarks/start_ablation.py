"""What the transform start and the guided motion of the default model are worth: equal seconds for each variant.

    python -m benchmarks.start_ablation CROPS --kind packed --clips CLIP [CLIP ...] --checkpoint RUN/last.ckpt

The intra stage begins at random or from principal components. The inter stage, on the intra part of ``--checkpoint``,
is given block-matched vectors or must find motion alone. All variants see the same clips at the same constant learning
rate until each has had ``--seconds``; then their averaged weights code the clips through the real bitstream.

Seconds are those of this process on its processors, and variants take turns of ``--slice``: other load on the machine
slows all of them alike and counts for none. What a start measures counts; checkpoints between turns do not.
"""

from __future__ import annotations

import argparse
import logging
import math
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from scaleflow.codec.models.scaleflow_codec import ScaleFlowCodec
from scaleflow.errors import DataError
from scaleflow.evaluation.rate_distortion.results import Curve
from scaleflow.evaluation.statistics.bd_rate import bd_rate
from scaleflow.training.codec.clip_batches import ClipBatches
from scaleflow.training.codec.configuration import ModelConfig, StageConfig, TrainingConfig
from scaleflow.training.codec.run import make_model
from scaleflow.training.codec.validation import ValidationPoint, rate_distortion_points
from scaleflow.training.data.configuration import DataConfig
from scaleflow.training.data.sources import open_source
from scaleflow.training.loop.distributed import Processes
from scaleflow.training.loop.loop import LoopHooks, TrainingLoop, TrainingProgress
from scaleflow.training.loop.precision import with_precision

logger = logging.getLogger("start_ablation")

ENDLESS = 10**9
"""Steps that no run here comes near, so that the schedule stays where it begins: the clock ends it."""

LAST_PART = 0.1
"""Of the steps, over which the loss is averaged."""

NO_PROCESSES = Processes(0, 1, torch.device("cpu"))


@dataclass(frozen=True)
class Variant:
    """One way to begin a stage; the first of each stage is what the others are compared with."""

    stage: Literal["intra", "inter"]
    name: str
    model: ModelConfig


VARIANTS = (
    Variant("intra", "random start", ModelConfig(start="random")),
    Variant("intra", "transform start", ModelConfig(start="transform")),
    Variant("inter", "learned motion", ModelConfig(guided_motion=False)),
    Variant("inter", "guided motion", ModelConfig(guided_motion=True)),
)


class VariantRun:
    """Training of one variant, in turns."""

    def __init__(self, variant: Variant, options: argparse.Namespace, folder: Path) -> None:
        self.variant = variant
        self.config = configuration(variant, options)
        self.seconds = 0.0
        self.losses: list[float] = []
        model = make_model(self.config)
        if variant.stage == "inter":
            trained = make_model(replace(self.config, model=replace(variant.model, start=str(options.checkpoint))))
            model.network.get_submodule("intra").load_state_dict(trained.network.get_submodule("intra").state_dict())
        batches = ClipBatches(self.config, open_source(self.config.data), model.working_format, NO_PROCESSES)
        self._loop = TrainingLoop(self.config, model, batches, folder, NO_PROCESSES, LoopHooks(report=self._reported))

    @property
    def loss(self) -> float:
        """Mean of the last steps."""
        return float(np.mean(self.losses[-max(1, int(LAST_PART * len(self.losses))) :]))

    def train_until(self, seconds: float) -> None:
        """Take a turn that ends when the variant has had ``seconds`` altogether."""
        first = not self._loop.checkpoint.exists()
        if not first:
            self._loop.resume()
        clock = _Clock(self.seconds, seconds, running=first)
        self._loop.run(clock.is_over)
        self.seconds = clock.seconds

    def evaluate(self, clips: list[Path], frames: int, qualities: list[float]) -> list[ValidationPoint]:
        """The averaged weights, frozen, on the first pictures of clips; of the intra stage, on the first one alone."""
        trained = replace(self.variant.model, start=str(self._loop.checkpoint))
        codec = make_model(replace(self.config, model=trained)).freeze()
        # As loaded weights are. In another layout, the convolutions of encoder and decoder round differently.
        assert isinstance(codec, ScaleFlowCodec)
        codec.to(memory_format=torch.channels_last)
        return rate_distortion_points(codec, clips, 1 if self.variant.stage == "intra" else frames, qualities)

    def _reported(self, progress: TrainingProgress) -> None:
        self.losses.append(progress.scalars["loss"])


class _Clock:
    """Processor seconds of one turn, begun at the first question unless it is ``running``: loading a run is free."""

    def __init__(self, before: float, until: float, running: bool) -> None:
        self.seconds = self._before = before
        self._until = until
        self._begun = time.process_time() if running else None

    def is_over(self) -> bool:
        """Asked between steps."""
        now = time.process_time()
        if self._begun is None:
            self._begun = now
        self.seconds = self._before + now - self._begun
        return self.seconds >= self._until


def configuration(variant: Variant, options: argparse.Namespace) -> TrainingConfig:
    """Of a run that goes on at one learning rate until it is stopped."""
    inter = variant.stage == "inter"
    stage = StageConfig(
        name=variant.stage,
        trains=variant.stage,
        steps=ENDLESS,
        batch=options.batch,
        unroll=(options.unroll, options.unroll) if inter else (1, 1),
        learning_rate=options.learning_rate,
        schedule="step",
        warm_up=options.warm_up,
    )
    data = DataConfig(path=str(options.data), kind=options.kind, crop=options.crop, workers=0)
    config = TrainingConfig(
        stages=(stage,), data=data, model=variant.model, seed=options.seed, checkpoint_every=ENDLESS, log_every=1
    )
    return with_precision(config, torch.device("cpu"))


def mean_change(points: list[ValidationPoint], anchor: list[ValidationPoint]) -> str:
    """Rate at equal PSNR against another variant in percent: the mean of the clips on which the curves overlap."""
    changes = []
    for clip in sorted({point.clip for point in points}):
        try:
            changes.append(bd_rate(_curve("this", points, clip), _curve("anchor", anchor, clip), "psnr").percent)
        except DataError as error:
            logger.warning("%s", error)
    return f"{float(np.mean(changes)):+.1f} %" if changes else "no overlap"


def _curve(name: str, points: list[ValidationPoint], clip: str) -> Curve:
    chosen = sorted((p for p in points if p.clip == clip), key=lambda p: p.bits_per_pixel)
    settings, rates = tuple(f"{p.quality:g}" for p in chosen), tuple(p.bits_per_pixel for p in chosen)
    return Curve(name, clip, settings, rates, rates, {"psnr": tuple(p.psnr for p in chosen)})


def print_table(runs: list[VariantRun], measured: dict[str, list[ValidationPoint]], qualities: list[float]) -> None:
    """One line for each variant; points are means over the clips."""
    heads = " | ".join(f"quality {quality:g}" for quality in qualities)
    print(f"\n| stage | variant | seconds | steps | loss | {heads} | BD-rate |\n{'|---' * (6 + len(qualities))}|")
    anchors: dict[str, list[ValidationPoint]] = {}
    for run in runs:
        variant, points = run.variant, measured[run.variant.name]
        anchor = anchors.setdefault(variant.stage, points)
        cells = [variant.stage, variant.name, f"{run.seconds:.0f}", str(len(run.losses)), f"{run.loss:.3f}"]
        for quality in qualities:
            chosen = [point for point in points if point.quality == quality]
            bits, psnr = (np.mean([getattr(point, key) for point in chosen]) for key in ("bits_per_pixel", "psnr"))
            cells.append(f"{bits:.3f} bpp, {psnr:.2f} dB")
        print("| " + " | ".join([*cells, "0" if anchor is points else mean_change(points, anchor)]) + " |")


def take_turns(runs: list[VariantRun], seconds: float, slice_seconds: float, note: Callable[[str], None]) -> None:
    """Train all variants for as long, a slice at a time."""
    turns = math.ceil(seconds / slice_seconds)
    for turn in range(1, turns + 1):
        for run in runs:
            run.train_until(seconds * turn / turns)
            note(f"{run.variant.name}: {run.seconds:.0f} s, {len(run.losses)} steps, loss {run.loss:.3f}")


def main() -> None:
    """Train, evaluate, print."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--kind", choices=("videos", "vimeo", "packed", "shards"), default="packed", help="of data")
    parser.add_argument("--clips", type=Path, nargs="+", required=True, help="to evaluate on, not of the data")
    parser.add_argument("--checkpoint", type=Path, help="its intra part serves the inter stage; without it, only intra")
    parser.add_argument("--seconds", type=float, default=300.0, help="of each variant")
    parser.add_argument("--slice", type=float, default=60.0, help="seconds of a turn")
    parser.add_argument("--stages", nargs="+", choices=("intra", "inter"), default=["intra", "inter"])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--unroll", type=int, default=3, help="pictures of a clip in the inter stage")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--warm-up", type=int, default=50, help="steps")
    parser.add_argument("--frames", type=int, default=8, help="pictures of each clip that the inter stage codes")
    parser.add_argument("--qualities", type=float, nargs="+", default=[4.0, 20.0, 36.0, 52.0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="where checkpoints stay; without it they are deleted")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.out or Path(temporary)
        wanted = [v for v in VARIANTS if v.stage in options.stages and (options.checkpoint or v.stage == "intra")]
        by_stage: dict[str, list[VariantRun]] = defaultdict(list)
        for variant in wanted:
            place = folder / variant.name.replace(" ", "-")
            if place.exists():
                raise SystemExit(f"{place}: holds a run already; choose another --out")
            by_stage[variant.stage].append(VariantRun(variant, options, place))
        for runs in by_stage.values():
            take_turns(runs, options.seconds, options.slice, logger.info)
        everything = [run for runs in by_stage.values() for run in runs]
        measured = {r.variant.name: r.evaluate(options.clips, options.frames, options.qualities) for r in everything}
    recipe = f"batch {options.batch}, crop {options.crop}, {options.unroll} pictures in the inter stage"
    recipe += f", learning rate {options.learning_rate:g}, {options.threads} threads"
    print(f"{recipe}; evaluated on {', '.join(clip.name for clip in options.clips)}.")
    print_table(everything, measured, options.qualities)


if __name__ == "__main__":
    main()
