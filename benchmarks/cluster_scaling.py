"""How encoding scales over workers of a cluster, and what limits it.

    python -m benchmarks.cluster_scaling VIDEO [--pictures 128] [--intra-period 16] [--workers 1 2] [--tasks 100]
        [--network 1.25e9] [--skip-encodes]

Encodes the first pictures of a video on a Ray of this machine with each number of workers of one thread: speed from
when each worker has done a group, and the efficiency, the speed for each worker over that with one. Then it measures
what the arithmetic of more workers needs: processor time to read and plan a picture, to code one, and what a task costs
the machine that gives it out. ``--network`` is an assumption, in bytes a second.

For a figure that means anything nothing else may run; processor times hardly depend on it. ``--skip-encodes`` leaves
out what does.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from scaleflow.cluster import ClusterSettings, open_workers
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.key_frames import KeyFramePlanner
from scaleflow.codec.encoding.picture_coder import CoderSettings, PictureCoder
from scaleflow.codec.encoding.session import EncodeProgress
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.video.reader import open_video
from scaleflow.workers import InOrder

MANY = (100, 1000)
"""Workers for which limits are told."""


@dataclass(frozen=True)
class Costs:
    """Of a picture and of a task, in seconds of one core, and a picture's bytes.

    Attributes:
        read: to decode a picture of the source and to decide whether it is a key frame.
        code: to code it.
        task: to give out a group and to take its result, without what it does.
        raw: bytes of a picture in memory.
    """

    read: float
    code: float
    task: float
    raw: int


@dataclass(frozen=True)
class NoWork:
    """Implements :class:`scaleflow.workers.Work`: takes pictures and does nothing."""

    threads: int = 1

    def begin(self) -> None:
        """See :class:`scaleflow.workers.Work`."""

    def do(self, task: list[np.ndarray]) -> int:
        """How many arrays have come."""
        return len(task)


def encode_speed(video: Path, settings: EncodeSettings, workers: int, folder: Path) -> tuple[float, float]:
    """Pictures a second once each worker has done a group, and seconds until then."""
    early = workers * settings.intra_period
    times: dict[int, float] = {}

    def note(now: EncodeProgress) -> None:
        times[now.pictures] = time.monotonic()

    started = time.monotonic()
    encode_file(video, folder / "coded.sfv", load_model("default"), settings, progress=note)
    last = max(times)
    if last <= early:
        raise SystemExit(f"{video}: has {last} pictures: give one of more than {early}, or a shorter --intra-period")
    return (last - early) / (times[last] - times[early]), times[early] - started


def picture_costs(video: Path, settings: EncodeSettings, pictures: int) -> tuple[float, float, int]:
    """Of :class:`Costs`: ``read``, ``code`` and ``raw``."""
    model = load_model("default")
    torch.set_num_threads(1)
    with open_video(video, threads=1) as reader:
        started = time.process_time()
        items = list(islice(reader, pictures))
        planner = KeyFramePlanner(reader.properties, settings)
        planned = [planner.plan(item) for item in items]
        read = (time.process_time() - started) / len(items)
        coder = PictureCoder(model, reader.properties, CoderSettings())
        started = time.process_time()
        group = planned[: settings.intra_period]
        for item in group:
            coder.code(item.picture, key=item.key, quality=32.0)
        code = (time.process_time() - started) / len(group)
    return read, code, sum(plane.nbytes for plane in items[0].planes)


def task_cost(group_bytes: int, tasks: int) -> float:
    """Processor seconds of this process for a task with so many bytes."""
    from benchmarks.cluster_scaling import NoWork as Imported  # as workers import it

    cluster = ClusterSettings("local:2")
    group = [np.zeros(group_bytes, np.uint8)]
    with open_workers(Imported(), 1, cluster) as workers:
        list(InOrder([group] * 4, workers))
        started = time.process_time()
        list(InOrder([group] * tasks, workers))
        return (time.process_time() - started) / tasks


def limits(costs: Costs, period: int, network: float) -> list[tuple[str, float]]:
    """Workers that each part can keep busy, from the least."""
    group = period * costs.code
    found = [
        ("source: one core reads", costs.code / costs.read),
        ("network: raw pictures leave the machine that reads", network * costs.code / costs.raw),
        ("scheduler: one core gives out groups", group / costs.task),
    ]
    return sorted(found, key=lambda limit: limit[1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--pictures", type=int, default=128)
    parser.add_argument("--intra-period", type=int, default=16)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--network", type=float, default=1.25e9)
    parser.add_argument("--skip-encodes", action="store_true")
    given = parser.parse_args(arguments)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (os.getcwd(), os.environ.get("PYTHONPATH"))))
    base = {"quality": 32.0, "frames": given.pictures, "intra_period": given.intra_period, "overwrite": True}
    if not given.skip_encodes:
        print("| workers | pictures/s | efficiency | to the end of a group each, s |\n|---|---|---|---|")
        alone = 0.0
        with tempfile.TemporaryDirectory() as folder:
            for number in given.workers:
                settings = EncodeSettings(**base, cluster=ClusterSettings(f"local:{number}"))
                speed, start = encode_speed(given.video, settings, number, Path(folder))
                alone = alone or speed / number
                print(f"| {number} | {speed:.2f} | {100 * speed / number / alone:.0f} % | {start:.1f} |")
    read, code, raw = picture_costs(given.video, EncodeSettings(**base), min(given.pictures, 64))
    costs = Costs(read, code, task_cost(given.intra_period * raw, given.tasks), raw)
    print(f"\nread {1e3 * costs.read:.2f} ms a picture, code {1e3 * costs.code:.0f} ms, {costs.raw / 1e6:.3f} MB raw;")
    print(f"a group of {given.intra_period}: {given.intra_period * costs.raw / 1e6:.2f} MB, {1e3 * costs.task:.2f} ms")
    print("\n| limit | workers kept busy |\n|---|---|")
    for name, number in limits(costs, given.intra_period, given.network):
        print(f"| {name} | {number:.0f} |")
    print("\n| workers | pictures/s | memory for groups in flight | network |\n|---|---|---|---|")
    least = limits(costs, given.intra_period, given.network)[0][1]
    for number in MANY:
        speed = min(number, least) / costs.code
        memory, network = 2 * number * given.intra_period * costs.raw / 1e9, speed * costs.raw * 8e-9
        print(f"| {number} | {speed:.1f} | {memory:.1f} GB | {network:.2f} Gbit/s |")


if __name__ == "__main__":
    main()
