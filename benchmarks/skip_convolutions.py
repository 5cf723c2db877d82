"""Wall-clock time and MACs of a network with Skip-Convolutions beside the same network run dense, on one clip.

    python -m benchmarks.skip_convolutions CLIP [--network resnet18] [--start 84] [--frames 12] [--threshold 0.1 0.3]
        [--threads 1 2] [--block 4] [--gate output] [--reference opened] [--execution sparse]
        [--key-interval 0] [--layers]

The network is one of torchvision's, with random weights: they change neither the arithmetic nor, much, where a picture
changes. Dense is the same network with its batch norms folded and in channels-last order, with the same threads. Times
are wall-clock per frame, of each frame the least of ``--repeats`` measurements that alternate between the two, so that
other load on the machine falls on both. The error is that of the outputs, relative to how far dense outputs are from
their own mean over the clip: 0 is exact, 1 as far off as an output that never changes.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

from scaleflow.codec.video.reader import open_video
from scaleflow.efficient_nets.skip_convolutions.gates import Norm
from scaleflow.efficient_nets.skip_convolutions.method import BLOCKS, Execution, Reference, SkipConv
from scaleflow.efficient_nets.video.batch_norm import fold_batch_norms
from scaleflow.efficient_nets.video.conversion import accelerate
from scaleflow.efficient_nets.video.cost import VideoCost


def read_frames(clip: Path, start: int, count: int) -> list[Tensor]:
    """Whole pictures as (1, 3, H, W), channels-last, with mean and deviation about those of ImageNet."""
    with open_video(clip, working_format="rgb") as reader:
        pictures = [np.stack(picture.planes) for picture in islice(reader, start, start + count)]
    if len(pictures) < count:
        raise SystemExit(f"{clip}: has no {count} pictures from {start} on: use --start and --frames")
    samples = torch.from_numpy(np.stack(pictures)).float() / 255
    return [frame.to(memory_format=torch.channels_last) for frame in ((samples - 0.45) / 0.225).split(1)]


def dense_network(model: nn.Module) -> nn.Module:
    """What a video network is measured against."""
    dense = copy.deepcopy(model)
    fold_batch_norms(dense)
    dense.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return dense


def run(network: Callable[[Tensor], Tensor], frames: list[Tensor]) -> tuple[list[Tensor], list[float]]:
    """Outputs, and seconds for each frame."""
    outputs, seconds = [], []
    with torch.inference_mode():
        for frame in frames:
            start = time.perf_counter()
            outputs.append(network(frame))
            seconds.append(time.perf_counter() - start)
    return outputs, seconds


def relative_error(found: list[Tensor], expected: list[Tensor]) -> float:
    """Root mean square error over the deviation of what is expected from its mean over time."""
    ours, dense = torch.stack(found), torch.stack(expected)
    return float((ours - dense).norm() / (dense - dense.mean(0)).norm())


def measure(dense: nn.Module, model: nn.Module, frames: list[Tensor], settings: SkipConv, options: Any) -> None:
    """Lines of the table for one threshold."""
    network = accelerate(model, settings, key_interval=options.key_interval or None)
    times: dict[str, list[list[float]]] = {"dense": [], "video": []}
    for threads in options.threads:
        torch.set_num_threads(threads)
        times = {"dense": [], "video": []}
        for _ in range(options.repeats):
            expected, seconds = run(dense, frames)
            times["dense"].append(seconds)
            network.reset()
            network.clear_cost()
            found, seconds = run(network, frames)
            times["video"].append(seconds)
        ours, theirs = (1000 * np.min(times[name], axis=0) for name in ("video", "dense"))
        cost = network.cost()
        print(
            f"| {settings.threshold:g} | {threads} | {theirs.mean():.0f} | {ours.mean():.0f} "
            f"| {theirs.mean() / ours.mean():.2f} | {theirs[1:].mean() / ours[1:].mean():.2f} "
            f"| {cost.ratio:.2f} | {later_ratio(cost):.2f} | {relative_error(found, expected):.3f} |"
        )
    if options.layers:
        print_layers(cost)


def later_ratio(cost: VideoCost) -> float:
    """How many times fewer MACs than dense, the first frame left out."""
    later = [frame.total for frame in cost.latest[1:]]
    return sum(total.dense_macs for total in later) / sum(total.macs for total in later)


def print_layers(cost: VideoCost) -> None:
    """MACs of each layer, mean over frames."""
    print("\n| layer | dense, MMAC | spent, MMAC | of these gates | times less |\n|---|---|---|---|---|")
    for name, layer in cost.layers.items():
        dense, spent, gate = (value / cost.frames / 1e6 for value in (layer.dense_macs, layer.macs, layer.gate_macs))
        print(f"| {name} | {dense:.1f} | {spent:.1f} | {gate:.1f} | {layer.ratio:.2f} |")
    print()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--network", default="resnet18", help="name in torchvision.models")
    parser.add_argument("--start", type=int, default=0, help="number of the first picture")
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--threshold", type=float, nargs="+", default=[0.1, 0.3])
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--block", type=int, choices=BLOCKS, default=SkipConv.block)
    parser.add_argument("--gate", choices=get_args(Norm), default=SkipConv.gate)
    parser.add_argument("--reference", choices=get_args(Reference), default=SkipConv.reference)
    parser.add_argument("--execution", choices=get_args(Execution), default=SkipConv.execution)
    parser.add_argument("--dense-above", type=float, default=SkipConv.dense_above)
    parser.add_argument("--least-macs", type=float, default=SkipConv.least_macs_per_sample)
    parser.add_argument("--key-interval", type=int, default=0, help="a key frame every so many; 0: the first alone")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--layers", action="store_true", help="print each layer's MACs")
    options = parser.parse_args()

    frames = read_frames(options.clip, options.start, options.frames)
    torch.manual_seed(0)
    model = torchvision.models.get_model(options.network, weights=None).eval()
    dense = dense_network(model)
    run(dense, frames[:1])
    height, width = frames[0].shape[2:]
    print(
        f"{options.network} on pictures {options.start} to {options.start + options.frames - 1} of {options.clip.name},"
    )
    print(f"{width}x{height}; blocks of {options.block}, {options.gate} norm, reference {options.reference},")
    print(f"{options.execution}.\n")
    print(
        "| threshold | threads | dense, ms | video, ms | times faster | after the first frame "
        "| times fewer MACs | after the first frame | error |\n" + "|---" * 9 + "|"
    )
    for threshold in options.threshold:
        settings = SkipConv(
            threshold,
            gate=options.gate,
            block=options.block,
            reference=options.reference,
            execution=options.execution,
            dense_above=options.dense_above,
            least_macs_per_sample=options.least_macs,
        )
        measure(dense, model, frames, settings, options)


if __name__ == "__main__":
    main()
