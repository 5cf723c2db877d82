"""Speed, cost and memory of the default model beside CompressAI's ``ssf2020``, on the same pictures in the same run.

    python -m benchmarks.codec_speed CLIP [--size 512x256] [--frames 4] [--threads 1 2] [--precision bf16] [--profile]

CompressAI's model is used as its users use it (``compress`` and ``decompress`` of a list of pictures) and has random
weights: they change neither the arithmetic nor the number of symbols. Times are wall-clock per picture, one intra
picture included, the least of ``--repeats`` measurements that alternate between the codecs, so that other load on the
machine falls on both. Ours include conversion from and to code values, and rounding of the reference.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from compressai.entropy_models import EntropyModel
from compressai.models.video import ScaleSpaceFlow
from torch import Tensor, nn

from scaleflow.codec.frame_coder import FrameDecoder, FrameEncoder
from scaleflow.codec.models import clip_coding, scaleflow
from scaleflow.codec.models.registry import scaleflow_small
from scaleflow.codec.models.scaleflow_codec import ScaleFlowCodec
from scaleflow.codec.models.video_model import Precision
from scaleflow.codec.picture import Planes, WorkingFormat
from scaleflow.codec.video.reader import open_video
from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.integer_network import IntegerConvolution, IntegerNetwork
from scaleflow.entropy.symbol_coder import SymbolDecoder, SymbolEncoder
from scaleflow.errors import DataError

logger = logging.getLogger("codec_speed")

Stages = dict[str, list[tuple[object, str]]]

STAGES: Stages = {
    "block matching": [(clip_coding, "match_blocks")],
    "integer networks": [(IntegerNetwork, "forward")],
    "symbol coding": [(SymbolEncoder, "encode"), (SymbolEncoder, "finish"), (SymbolDecoder, "decode")],
    "estimate of bits": [(FrequencyTables, "bits_of_symbols")],
    "warp": [(scaleflow, "scale_space_warp")],
}
"""Parts of the default model whose time is told apart; what remains is transforms and conversion."""

COMPRESSAI_STAGES: Stages = {"symbol coding": [(EntropyModel, "compress"), (EntropyModel, "decompress")]}


@dataclass(frozen=True)
class Timing:
    """Seconds for each picture, and of these the seconds in each stage."""

    total: float
    stages: dict[str, float]


class OurCodec:
    """The default model behind the frame coder."""

    stages = STAGES

    def __init__(self, clip: Path, size: tuple[int, int], frames: int, quality: float) -> None:
        try:
            model = scaleflow_small()
        except DataError as error:
            logger.warning("random weights instead of the shipped ones: %s", error)
            model = ScaleFlowCodec()
            model.freeze()
            model.to(memory_format=torch.channels_last)  # as loaded weights are
        self.network: nn.Module = model.network
        self.counted: nn.Module = model
        self.model: ScaleFlowCodec = model
        self.size, self.quality = size, quality
        self.pictures: list[Planes] = read_crop(clip, size, frames, "yuv420")
        self.coded: list[tuple[bytes, bool]] = self.encode()

    def use_precision(self, precision: Precision) -> None:
        """Set the arithmetic of the transforms, and encode again."""
        self.model.precision = precision
        self.coded = self.encode()

    def encode(self) -> list[tuple[bytes, bool]]:
        """All pictures to payloads."""
        encoder = FrameEncoder(self.model, width=self.size[0], height=self.size[1])
        coded = (encoder.encode(planes, key=False, quality=self.quality) for planes in self.pictures)
        return [(frame.payload, frame.key) for frame in coded]

    def decode(self) -> None:
        """Payloads to pictures."""
        decoder = FrameDecoder(self.model, width=self.size[0], height=self.size[1])
        for payload, key in self.coded:
            decoder.decode(payload, key=key)

    def bytes_each(self) -> float:
        """Mean size of a picture."""
        return float(np.mean([len(payload) for payload, _ in self.coded]))


class CompressaiCodec:
    """CompressAI's model by its own interface."""

    stages = COMPRESSAI_STAGES

    def __init__(self, clip: Path, size: tuple[int, int], frames: int, quality: float) -> None:
        torch.manual_seed(0)
        self.model: ScaleSpaceFlow = ScaleSpaceFlow().eval()
        self.model.update()
        self.network: nn.Module = self.model
        self.counted: nn.Module = self.model
        pictures = [np.stack(planes).astype(np.float32) / 255 for planes in read_crop(clip, size, frames, "rgb")]
        self.pictures: list[Tensor] = [pad_to_cells(torch.from_numpy(picture)[None]) for picture in pictures]
        self.coded: tuple[object, object] = self.encode()

    def encode(self) -> tuple[object, object]:
        """All pictures to strings and shapes."""
        with torch.no_grad():
            return self.model.compress(self.pictures)

    def decode(self) -> None:
        """Strings to pictures."""
        with torch.no_grad():
            self.model.decompress(*self.coded)


Codec = OurCodec | CompressaiCodec
OURS, THEIRS = "ScaleFlow default", "CompressAI ssf2020"
CODECS: dict[str, type[Codec]] = {OURS: OurCodec, THEIRS: CompressaiCodec}


def pad_to_cells(picture: Tensor) -> Tensor:
    """Zeros at the right and below up to multiples of 128, as CompressAI needs them."""
    height, width = picture.shape[2:]
    return nn.functional.pad(picture, (0, -width % 128, 0, -height % 128))


def read_crop(clip: Path, size: tuple[int, int], frames: int, working_format: WorkingFormat) -> list[Planes]:
    """The middle of the first pictures of a clip, at even positions."""
    width, height = size
    with open_video(clip, working_format=working_format) as reader:
        pictures = [picture.planes for picture in islice(reader, frames)]
    rows, columns = pictures[0][0].shape
    if rows < height or columns < width or len(pictures) < frames:
        found = f"{len(pictures)} pictures of {columns}x{rows}"
        raise SystemExit(f"{clip}: {found} are less than {frames} of {width}x{height}: use --size and --frames")
    top, left = (rows - height) // 4 * 2, (columns - width) // 4 * 2
    halves = (1, 1, 1) if working_format == "rgb" else (1, 2, 2)
    return [
        tuple(
            np.ascontiguousarray(plane[top // h : (top + height) // h, left // h : (left + width) // h])
            for plane, h in zip(planes, halves, strict=True)
        )
        for planes in pictures
    ]


@contextmanager
def stage_times(stages: Stages) -> Iterator[dict[str, float]]:
    """Seconds spent in functions, by stage, while the context lasts."""
    seconds: dict[str, float] = defaultdict(float)

    def timed(stage: str, function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            start = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                seconds[stage] += time.perf_counter() - start

        return call

    with ExitStack() as stack:
        for stage, functions in stages.items():
            for owner, name in functions:
                stack.enter_context(mock.patch.object(owner, name, timed(stage, getattr(owner, name))))
        yield seconds


@contextmanager
def counted_macs(model: nn.Module) -> Iterator[list[int]]:
    """Multiply-accumulates of every convolution that runs, integer ones included, while the context lasts.

    Blurs and interpolation, which have no weights, are not counted.
    """
    counts: list[int] = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        transposed = isinstance(layer, nn.ConvTranspose2d) or getattr(layer, "transposed", False) is True
        positions = (inputs[0] if transposed else output).shape[2:].numel()
        weight = layer.weight
        assert isinstance(weight, Tensor)
        counts.append(weight.numel() * positions)

    kinds = nn.Conv2d | nn.ConvTranspose2d | IntegerConvolution
    handles = [layer.register_forward_hook(count) for layer in model.modules() if isinstance(layer, kinds)]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()


def measure(action: Callable[[], object], stages: Stages, frames: int) -> Timing:
    """One timing of ``action`` over ``frames`` pictures."""
    with stage_times(stages) as seconds:
        start = time.perf_counter()
        action()
        total = time.perf_counter() - start
    return Timing(total / frames, {stage: value / frames for stage, value in seconds.items()})


def peak_memory(name: str, clip: Path, size: tuple[int, int], frames: int, quality: float) -> float:
    """MB that a fresh process holds at most while it encodes and decodes, libraries included."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_run_once, (name, clip, size, frames, quality))


def _run_once(name: str, clip: Path, size: tuple[int, int], frames: int, quality: float) -> float:
    torch.set_num_threads(1)
    CODECS[name](clip, size, frames, quality).decode()
    status = Path("/proc/self/status")
    if status.exists():  # Linux counts in ru_maxrss what the parent process held as well
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def kmac_per_pixel(codec: Codec, pixels: int) -> tuple[float, float]:
    """Of encoding and of decoding, mean over the pictures."""
    costs = []
    for action in (codec.encode, codec.decode):
        with counted_macs(codec.counted) as counts:
            action()
        costs.append(sum(counts) / pixels / len(codec.pictures) / 1000)
    return costs[0], costs[1]


def row(what: str, values: list[float], form: str) -> str:
    """A line of the table: our value, theirs, and how many times smaller ours is."""
    ours, theirs = values
    return f"| {what} | {ours:{form}} | {theirs:{form}} | {theirs / ours:.1f} |"


def main() -> None:
    """Measure and print."""
    logging.basicConfig(format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--size", default="512x256", help="crop, WIDTHxHEIGHT")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--quality", type=float, default=40.0, help="of the default model")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="of the default model")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="where the default model's time goes")
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))
    arguments = (options.clip, (width, height), options.frames, options.quality)

    codecs = {name: make(*arguments) for name, make in CODECS.items()}
    ours = codecs[OURS]
    assert isinstance(ours, OurCodec)
    ours.use_precision(options.precision)
    best: dict[tuple[str, str, int], Timing] = {}
    for threads in options.threads:
        torch.set_num_threads(threads)
        for _ in range(options.repeats):
            for name, codec in codecs.items():
                for kind in ("encode", "decode"):
                    timing = measure(getattr(codec, kind), codec.stages, options.frames)
                    key = (name, kind, threads)
                    best[key] = min(best.get(key, timing), timing, key=lambda one: one.total)

    print(f"{options.frames} pictures (one intra) of {options.clip.name}, {width}x{height};")
    quality = f"{options.precision}, quality {options.quality:g}"
    print(f"the default model in {quality}, {ours.bytes_each():.0f} bytes a picture.")
    print(f"\n| | {' | '.join(codecs)} | times less |\n|---|---|---|---|")
    for threads in options.threads:
        label = f"{threads} thread{'s' if threads > 1 else ''}"
        for kind in ("encode", "decode"):
            values = [1000 * best[name, kind, threads].total for name in codecs]
            print(row(f"{kind}, {label}, ms a picture", values, ".0f"))
        decoding = [best[name, "decode", threads] for name in codecs]
        values = [1000 * timing.stages["symbol coding"] for timing in decoding]
        print(row(f"of decode: symbol coding, {label}, ms a picture", values, ".1f"))
        shares = " | ".join(f"{100 * one.stages['symbol coding'] / one.total:.1f} %" for one in decoding)
        print(f"| share of symbol coding in decode, {label} | {shares} | |")
    costs = [kmac_per_pixel(codec, width * height) for codec in codecs.values()]
    print(row("encode, kMAC/pixel", [cost[0] for cost in costs], ".1f"))
    print(row("decode, kMAC/pixel", [cost[1] for cost in costs], ".1f"))
    millions = [sum(p.numel() for p in codec.network.parameters()) / 1e6 for codec in codecs.values()]
    print(row("parameters, millions", millions, ".2f"))
    peaks = [peak_memory(name, *arguments) for name in codecs]
    print(row("peak memory of the process, MB", peaks, ".0f"))
    if options.profile:
        print_profile({key: timing for key, timing in best.items() if key[0] == OURS})


def print_profile(timings: dict[tuple[str, str, int], Timing]) -> None:
    """Milliseconds a picture by stage."""
    print("\n| ms a picture | " + " | ".join(f"{kind}, {threads}" for _, kind, threads in timings) + " |")
    print("|---" * (len(timings) + 1) + "|")
    for stage in STAGES:
        values = (f"{1000 * timing.stages.get(stage, 0):.1f}" for timing in timings.values())
        print(f"| {stage} | {' | '.join(values)} |")
    rest = (f"{1000 * (timing.total - sum(timing.stages.values())):.1f}" for timing in timings.values())
    print(f"| transforms and conversion | {' | '.join(rest)} |")
    print("| all | " + " | ".join(f"{1000 * timing.total:.1f}" for timing in timings.values()) + " |")


if __name__ == "__main__":
    main()
