"""Error over bit operations of residual quantization beside frame-by-frame quantization, and time of 8-bit integers.

    python -m benchmarks.residual_quantization CLIP [--network resnet18] [--start 84] [--frames 8] [--key-interval 4]
        [--calibration-start 60] [--crop HEIGHT WIDTH TOP LEFT] [--clipping mse] [--speed]

The network is one of torchvision's with random weights, or ``efficientnet_lite0`` with its ImageNet weights (see
``benchmarks.efficientnet_lite0``). Ranges are calibrated on as many pictures from ``--calibration-start`` on, which are
not those that are measured. The signal-to-noise ratio is that of the network's outputs against those in float32, over
their own energy. ``hold`` is the plain alternative that quantizes key frames to 8 bits and gives their output until the
next one. ``--speed`` adds wall-clock time with one thread in float32 and in 8-bit integers, of each frame the least of
``--repeats`` that alternate.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

from benchmarks.efficientnet_lite0 import efficientnet_lite0_features
from benchmarks.skip_convolutions import dense_network, read_frames, run
from scaleflow.efficient_nets.residual_quantization.calibration import calibrate
from scaleflow.efficient_nets.residual_quantization.clipping import Clipping
from scaleflow.efficient_nets.residual_quantization.method import ResidualQuantization
from scaleflow.efficient_nets.video.conversion import accelerate

FRAME_BITS = (8, 7, 6, 5, 4)
RESIDUAL_BITS = (8, 6, 5, 4, 3)
THRESHOLDS = ((0.05, 0.1), (0.1, 0.2), (0.1, 0.4), (0.2, 0.4), (0.2, 1.0))


def signal_to_noise(found: list[Tensor], expected: list[Tensor]) -> float:
    """In dB."""
    ours, dense = torch.cat(found), torch.cat(expected)
    return float(20 * torch.log10(dense.norm() / (ours - dense).norm()))


def read(clip: Path, start: int, options: Any) -> list[Tensor]:
    """Pictures cut to ``--crop``, or to multiples of 32."""
    frames = read_frames(clip, start, options.frames)
    height, width = (side // 32 * 32 for side in frames[0].shape[2:])
    height, width, top, left = options.crop or (height, width, 0, 0)
    cut = [frame[:, :, top : top + height, left : left + width] for frame in frames]
    return [frame.contiguous(memory_format=torch.channels_last) for frame in cut]


def measure(
    model: nn.Module, settings: ResidualQuantization, frames: list[Tensor], samples: list[Tensor], interval: int
) -> tuple[list[Tensor], int]:
    """Outputs, and bit operations of all frames."""
    network = accelerate(model, settings, key_interval=interval)
    calibrate(network, samples)
    found, _ = run(network, frames)
    return found, network.cost().total.bops


def compare(model: nn.Module, dense: nn.Module, frames: list[Tensor], options: Any) -> None:
    """Print the table of errors."""
    samples = read(options.clip, options.calibration_start, options)
    expected, _ = run(dense, frames)
    print("| | GBOP a frame | times fewer than 8 bits | SNR, dB |\n|---|---|---|---|")

    def line(name: str, found: list[Tensor], bops: float, eight: int) -> None:
        ratio = signal_to_noise(found, expected)
        print(f"| {name} | {bops / len(frames) / 1e9:.2f} | {eight / bops:.2f} | {ratio:.1f} |", flush=True)

    eight = 0
    for bits in FRAME_BITS:
        settings = ResidualQuantization(bits=None, key_bits=bits, clipping=options.clipping)
        found, bops = measure(model, settings, frames, samples, options.key_interval)
        eight = eight or bops
        line(f"each frame, {bits} bits", found, bops, eight)
        if bits == 8:
            held = [found[number - number % options.key_interval] for number in range(len(frames))]
            keys = -(-len(frames) // options.key_interval)
            line("hold key frames of 8 bits", held, eight * keys / len(frames), eight)
    for bits in RESIDUAL_BITS:
        settings = ResidualQuantization(bits=bits, clipping=options.clipping)
        line(f"residual, {bits} bits", *measure(model, settings, frames, samples, options.key_interval), eight)
    for thresholds in THRESHOLDS:
        settings = ResidualQuantization(
            bits=(0, 4, 8), thresholds=thresholds, block=options.block, clipping=options.clipping
        )
        line(
            f"residual, 0, 4 or 8 bits, {thresholds[0]:g} and {thresholds[1]:g}",
            *measure(model, settings, frames, samples, options.key_interval),
            eight,
        )


def compare_speed(model: nn.Module, dense: nn.Module, frames: list[Tensor], options: Any) -> None:
    """Print milliseconds a frame in float32 and in 8-bit integers."""
    networks: dict[str, Any] = {"float32, dense": dense}
    for name, bits in (("8-bit integers, each frame", None), ("8-bit integers, residuals", 8)):
        networks[name] = accelerate(
            model, ResidualQuantization(bits=bits, execution="int8"), key_interval=options.key_interval
        )
        calibrate(networks[name], frames)
    seconds: dict[str, list[list[float]]] = {name: [] for name in networks}
    for _ in range(options.repeats + 1):
        for name, network in networks.items():
            if network is not dense:
                network.reset()
            seconds[name].append(run(network, frames)[1])
    print("\n| | ms a frame | times faster |\n|---|---|---|")
    times = {name: 1000 * float(np.min(taken[1:], axis=0).mean()) for name, taken in seconds.items()}
    for name, time in times.items():
        print(f"| {name} | {time:.1f} | {times['float32, dense'] / time:.2f} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--network", default="resnet18", help="name in torchvision.models, or efficientnet_lite0")
    parser.add_argument("--start", type=int, default=0, help="number of the first picture")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--calibration-start", type=int, default=0, help="first picture that ranges are fitted to")
    parser.add_argument("--key-interval", type=int, default=4)
    parser.add_argument("--crop", type=int, nargs=4, metavar=("HEIGHT", "WIDTH", "TOP", "LEFT"))
    parser.add_argument("--clipping", choices=get_args(Clipping), default=ResidualQuantization.clipping)
    parser.add_argument("--block", type=int, default=ResidualQuantization.block)
    parser.add_argument("--speed", action="store_true", help="measure time alone, not errors")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(0)
    if options.network == "efficientnet_lite0":
        model: nn.Module = efficientnet_lite0_features()
    else:
        model = torchvision.models.get_model(options.network, weights=None).eval()
    dense = dense_network(model)
    frames = read(options.clip, options.start, options)
    height, width = frames[0].shape[2:]
    print(
        f"{options.network}, {len(frames)} pictures of {options.clip.name} from {options.start} on, {width}x{height},"
    )
    print(f"a key frame every {options.key_interval}.\n")
    (compare_speed if options.speed else compare)(model, dense, frames, options)


if __name__ == "__main__":
    main()
