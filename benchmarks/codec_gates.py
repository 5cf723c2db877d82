"""MACs and error of a network on decoded video: gates from what the decoder knows beside gates that look at changes.

    scaleflow encode CLIP clip.sfv -q 16 && python -m benchmarks.codec_gates clip.sfv [--network resnet18]
        [--frames 16] [--threshold 0.1 0.3] [--change PREDICTION RESIDUAL]... [--block 4] [--dense-above 0.5]
        [--execution sparse]

The network runs dense, then with norm gates at several thresholds, then with given gates (``DecodedChange``) at several
thresholds. It is one of torchvision's with random weights, or ``efficientnet_lite0`` with its
ImageNet weights. The error is that of its outputs, relative to how far dense outputs are from their own mean over the
clip: 0 is exact, 1 as far off as an output that never changes. Key frames of the stream are first frames for all.
``hold`` is the plain alternative that runs dense on every second picture, or fourth, and repeats its output.
Pictures are cut to multiples of 32.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

from benchmarks.efficientnet_lite0 import efficientnet_lite0_features
from benchmarks.skip_convolutions import dense_network, relative_error, run
from scaleflow.codec.container import SfvReader
from scaleflow.codec.decoding.stream_decoder import DecodedPicture, StreamDecoder
from scaleflow.codec.decoding.stream_model import load_stream_model
from scaleflow.codec.models.picture_change import PictureChange
from scaleflow.codec.video.pixel_format import describe_pixel_format
from scaleflow.codec.video.working_format import color_coding, from_working
from scaleflow.efficient_nets.skip_convolutions.decoded_change import DecodedChange
from scaleflow.efficient_nets.skip_convolutions.method import Execution, SkipConv
from scaleflow.efficient_nets.video.conversion import accelerate

CHANGES = ((1, 1), (2, 2), (3, 3), (4, 4), (8, 8))
"""Thresholds of prediction and residual."""


@dataclass(frozen=True)
class NetworkInput:
    """A decoded picture as the network takes it, and what the decoder says of its change; None for key pictures."""

    frame: Tensor
    change: PictureChange | None


def decode(stream: Path, count: int) -> list[NetworkInput]:
    """The first pictures of a stream, cut to multiples of 32."""
    rgb = describe_pixel_format("rgb24")
    inputs = []
    with SfvReader(stream) as reader:
        video = reader.header.video
        model = load_stream_model(reader.header)
        events = StreamDecoder(reader.header, model, changes=True).decode(reader)
        pictures = (event for event in events if isinstance(event, DecodedPicture))
        for picture in islice(pictures, count):
            planes = from_working(picture.planes, rgb, color_coding(video), video.working_format, video.bit_depth)
            samples = torch.from_numpy(np.stack(planes).astype(np.float32))[None] / 255
            frame = cut((samples - 0.45) / 0.225)
            inputs.append(NetworkInput(frame.contiguous(memory_format=torch.channels_last), picture.change))
    return inputs


def cut(x: Tensor) -> Tensor:
    """Height and width (the last two dimensions) as multiples of 32."""
    return x[..., : x.shape[-2] // 32 * 32, : x.shape[-1] // 32 * 32]


def run_on(model: nn.Module, settings: SkipConv, inputs: list[NetworkInput], maps: DecodedChange | None) -> Any:
    """Outputs, cost, and milliseconds a frame."""
    network = accelerate(model, settings)
    outputs, seconds = [], 0.0
    with torch.inference_mode():
        for each in inputs:
            start = time.perf_counter()
            if each.change is None:
                network.reset()
            if maps is not None and (changed := maps(each.change)) is not None:
                network.change_map(cut(changed))
            outputs.append(network(each.frame))
            seconds += time.perf_counter() - start
    return outputs, network.cost(), 1000 * seconds / len(inputs)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stream", type=Path)
    parser.add_argument("--network", default="resnet18", help="name in torchvision.models, or efficientnet_lite0")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--threshold", type=float, nargs="+", default=[0.03, 0.1, 0.2, 0.3], help="of norm gates")
    parser.add_argument(
        "--change", type=float, nargs=2, action="append", metavar=("PREDICTION", "RESIDUAL"), help="of given gates"
    )
    parser.add_argument("--block", type=int, default=SkipConv.block)
    parser.add_argument("--dense-above", type=float, default=SkipConv.dense_above)
    parser.add_argument("--execution", choices=get_args(Execution), default=SkipConv.execution)
    options = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(0)
    inputs = decode(options.stream, options.frames)
    if options.network == "efficientnet_lite0":
        model: nn.Module = efficientnet_lite0_features()
    else:
        model = torchvision.models.get_model(options.network, weights=None).eval()
    dense = dense_network(model)
    expected, _ = run(dense, [each.frame for each in inputs])
    height, width = inputs[0].frame.shape[2:]
    print(f"{options.network}, {len(inputs)} pictures of {options.stream.name}, {width}x{height}; blocks of")
    print(f"{options.block}.\n\n| gates | times fewer MACs | error | ms a frame |\n|---|---|---|---|")

    def line(name: str, settings: SkipConv, maps: DecodedChange | None) -> None:
        found, cost, taken = run_on(model, settings, inputs, maps)
        print(f"| {name} | {cost.ratio:.2f} | {relative_error(found, expected):.3f} | {taken:.0f} |", flush=True)

    form = {"block": options.block, "dense_above": options.dense_above, "execution": options.execution}
    for every in (2, 4):
        held = [expected[number - number % every] for number in range(len(expected))]
        print(f"| hold {every} | {len(held) / -(-len(held) // every):.2f} | {relative_error(held, expected):.3f} | |")
    for threshold in options.threshold:
        line(f"norm, {threshold:g}", SkipConv(threshold, **form), None)
    for prediction, residual in options.change or CHANGES:
        maps = DecodedChange(prediction, residual)
        line(f"codec, {prediction:g}, {residual:g}", SkipConv(gate="given", **form), maps)


if __name__ == "__main__":
    main()
