"""Clips that each kind of training data gives in a second, beside what a training step of the default model takes.

    python -m benchmarks.data_loading VIDEOS [--clips 64] [--threads 1] [--device cuda]

Packed crops, shards and a tree like Vimeo-90k's are first made of the videos, in a temporary folder. They are small and
lie in memory, so the disk is not measured. Loading goes through the same batches as in training, in this process or in
one beside it; kinds take turns, and medians of the turns are reported. The step is of the inter stage, in bf16.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from PIL import Image

from benchmarks.training_speed import OurStep, seconds_of
from scaleflow.codec.picture import WorkingFormat
from scaleflow.training.codec.clip_batches import PREFETCH, ClipBatches
from scaleflow.training.codec.configuration import StageConfig, TrainingConfig
from scaleflow.training.data.clip import ClipSource
from scaleflow.training.data.configuration import DataConfig
from scaleflow.training.data.packed import pack_clips
from scaleflow.training.data.samples import SampleKey, SampleSet
from scaleflow.training.data.shards import write_shards
from scaleflow.training.data.sources import open_source
from scaleflow.training.loop.distributed import Processes

Kind = Literal["videos", "packed", "shards", "vimeo"]

FRAMES = 7
VIMEO_WIDTH, VIMEO_HEIGHT = 448, 256
SHARD_LENGTH = 32
LEAST_SECONDS = 0.5
"""Of a turn, however few batches that would be: some are loaded within a millisecond."""


class Case(NamedTuple):
    """A line of the table, or with 0 or 1 processes, a value of it."""

    kind: Kind
    working_format: WorkingFormat


def make_inputs(videos: Path, folder: Path, clips: int, crop: int) -> dict[Kind, Path]:
    """Write ``clips`` clips of a folder of videos as each kind."""
    data = DataConfig(path=str(videos), crop=crop, flip=False, reverse=False)
    source = open_source(data)
    places: dict[Kind, Path] = {kind: folder / kind for kind in ("packed", "shards", "vimeo")}
    pack_clips(source, places["packed"], clips, FRAMES, data, 0)
    write_shards(source, places["shards"], clips, SHARD_LENGTH, FRAMES, data, 0)
    write_vimeo(videos, places["vimeo"], clips)
    return places


def write_vimeo(videos: Path, folder: Path, clips: int) -> None:
    """Septuplets as the archive unpacks; to fill its width, pictures are two places side by side."""
    data = DataConfig(path=str(videos), crop=VIMEO_HEIGHT, flip=False, reverse=False)
    samples = SampleSet(open_source(data), data, 1, "rgb")
    lines = []
    for number in range(clips):
        left, right = (samples.load(SampleKey(0, 2 * number + side, FRAMES)).planes[0].numpy() for side in (0, 1))
        wide = np.concatenate((left, right[..., : VIMEO_WIDTH - VIMEO_HEIGHT]), -1)
        line = f"00001/{number + 1:04}"
        (folder / "sequences" / line).mkdir(parents=True)
        for position, picture in enumerate(wide):
            image = Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0)))
            image.save(folder / "sequences" / line / f"im{position + 1}.png")
        lines.append(line)
    (folder / "sep_trainlist.txt").write_text("\n".join(lines) + "\n")


def batches_of(
    case: Case, source: ClipSource, options: argparse.Namespace, workers: int, processes: Processes
) -> ClipBatches:
    """As a training run makes them."""
    data = DataConfig(kind=case.kind, path="opened already", crop=options.crop, workers=workers)
    return ClipBatches(TrainingConfig(stages=(stage_of(options),), data=data), source, case.working_format, processes)


def stage_of(options: argparse.Namespace) -> StageConfig:
    """The last part of the default recipe's inter stages, where clips are longest."""
    return StageConfig("inter", "inter", steps=10**6, batch=options.batch, unroll=(FRAMES, FRAMES))


def clips_per_second(batches: ClipBatches, options: argparse.Namespace, workers: int) -> float:
    """Steadily: what was loaded ahead before the first batch was asked for is not counted."""
    loaded: Iterator[object] = batches.steps(0, stage_of(options), 0)
    for _ in range(1 + PREFETCH * workers):
        next(loaded)
    start, done = time.perf_counter(), 0
    while done < options.batches or time.perf_counter() - start < LEAST_SECONDS:
        next(loaded)
        done += 1
    return options.batch * done / (time.perf_counter() - start)


def clips_trained_per_second(source: ClipSource, options: argparse.Namespace) -> Iterator[float]:
    """Of the default model's step, one after another."""
    device = torch.device(options.device)
    processes = Processes(0, 1, device)
    batches = batches_of(Case("packed", "yuv420"), source, options, 0, processes)
    batch = next(batches.steps(0, stage_of(options), 0))[0].clips
    step = OurStep("default", "inter", "bf16", {"yuv420": batch})
    seconds_of(step, device)  # the first step allocates
    for _ in count():
        yield options.batch / seconds_of(step, device)


def measure(
    sources: dict[Kind, ClipSource], options: argparse.Namespace
) -> tuple[dict[tuple[Case, int], float], float]:
    """Clips a second of each case with 0 and 1 processes, and of the training step."""
    processes = Processes(0, 1, torch.device(options.device))
    loaded: dict[tuple[Case, int], list[float]] = defaultdict(list)
    trained: list[float] = []
    training = clips_trained_per_second(sources["packed"], options)
    formats: tuple[WorkingFormat, ...] = ("yuv420", "rgb")
    for _ in range(options.turns):
        for case in [Case(kind, working_format) for kind in sources for working_format in formats]:
            for workers in (0, 1):
                batches = batches_of(case, sources[case.kind], options, workers, processes)
                loaded[case, workers].append(clips_per_second(batches, options, workers))
        trained.append(next(training))
    return {key: float(np.median(values)) for key, values in loaded.items()}, float(np.median(trained))


def main() -> None:
    """Make the inputs, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--clips", type=int, default=64, help="of each kind that is made")
    parser.add_argument("--crop", type=int, default=192)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--batches", type=int, default=4, help="at least, that are timed in a turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of the training step")
    parser.add_argument("--device", default="cpu", help="of the training step, and where clips are brought to")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)  # each picture that is read warns of its colours
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        places: dict[Kind, Path] = {"videos": options.videos}
        places |= make_inputs(options.videos, Path(folder), options.clips, options.crop)
        sources = {
            kind: open_source(DataConfig(kind=kind, path=str(place), crop=options.crop))
            for kind, place in places.items()
        }
        rates, trained = measure(sources, options)
    print(
        f"Clips of {FRAMES} pictures of {options.crop}x{options.crop}, batch {options.batch}; {options.clips} clips of"
    )
    where = f"{options.device}, {options.threads} threads"
    print(f"each kind but videos. A training step takes {trained:.2f} clips a second ({where}).")
    print("\n| data | pictures | clips a second, 0 processes | 1 process | times what the step takes | 1 process |")
    print("|---|---|---|---|---|---|")
    for case in dict.fromkeys(case for case, _ in rates):
        alone, beside = rates[case, 0], rates[case, 1]
        print(f"| {case.kind} | {case.working_format} | {alone:.1f} | {beside:.1f} | ", end="")
        print(f"{alone / trained:.1f} | {beside / trained:.1f} |")


if __name__ == "__main__":
    main()
