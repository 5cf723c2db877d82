"""Error over MACs of a network with delta distillation, before and after training on the clip's own first frames.

    python -m benchmarks.delta_distillation CLIP [--network codec] [--start 0] [--train-frames 48] [--frames 24]
        [--interval 2 3 6] [--gamma 2 4] [--reference key previous] [--steps 200] [--blocks] [--search 0.1 1]

The network is the shipped codec's analysis of intra pictures without its linear part (a trained network with residual
blocks), or one of torchvision's with random weights, up to its last features. All convolutions but the first and the
last have students; with ``--blocks``, residual blocks have non-linear ones instead. Students are trained on crops of
``--train-frames`` frames, with the distillation loss alone, and measured on whole pictures of the ``--frames`` frames
behind them. With ``--search``, each layer has both candidates, and the loss has the cost with these weights.

The error is that of the network's output in all frames but key frames, relative to how far these outputs are from those
of their key frames: 0 is exact, 1 as far off as an output that stays what it was in the key frame.

Agreement is the temporal consistency of labels (``scaleflow.efficient_nets.video.temporal_consistency``): each position
of the output has the number of the cluster that its features are nearest to, of ``--clusters`` that k-means finds in
the dense network's features of the first frames.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

from scaleflow.codec.models.layers import ResidualBlock
from scaleflow.codec.models.registry import WEIGHTS_FOLDER, load_scaleflow
from scaleflow.codec.models.transforms import AnalysisTransform, pack_planes
from scaleflow.codec.video.reader import open_video
from scaleflow.efficient_nets.delta_distillation.finalize import finalize
from scaleflow.efficient_nets.delta_distillation.low_rank import Policy
from scaleflow.efficient_nets.delta_distillation.method import DeltaDistillation, Reference
from scaleflow.efficient_nets.delta_distillation.training import cost_loss, distillation_loss, student_parameters
from scaleflow.efficient_nets.video.conversion import accelerate
from scaleflow.efficient_nets.video.network import VideoNetwork
from scaleflow.efficient_nets.video.temporal_consistency import TemporalConsistency, follow_motion

QUALITY = 32.0
MULTIPLE = 32
"""Pictures are cut to sides that all strides divide."""


class CodecFeatures(nn.Module):
    """What the codec's network adds to the linear transform of a picture."""

    def __init__(self, analysis: AnalysisTransform) -> None:
        super().__init__()
        self.analysis = analysis

    def forward(self, picture: Tensor) -> Tensor:
        """``picture`` (N, 6, H, W), packed."""
        quality = picture.new_full((len(picture),), QUALITY)
        unshuffled = nn.functional.pixel_unshuffle(picture, 2)
        features = self.analysis.bias(self.analysis.stem(unshuffled), quality)
        output: Tensor = self.analysis.network(features)
        return output


@dataclass(frozen=True)
class Task:
    """A network, its frames and their luma (0..255), and what is left out of its conversion."""

    model: nn.Module
    training: Tensor
    frames: Tensor
    luma: Tensor
    exclude: tuple[str, ...]
    block: type[nn.Module]


def codec_task(options: argparse.Namespace) -> Task:
    """The shipped codec's analysis of intra pictures."""
    network = load_scaleflow(WEIGHTS_FOLDER / "default.safetensors").network
    planes = read(options, "yuv420")
    luma, chroma = planes[0][:, None], torch.stack(planes[1:], 1)
    frames = pack_planes(luma, chroma).contiguous(memory_format=torch.channels_last)
    exclude = ("analysis.linear", "analysis.stem", "analysis.network.5")
    return split(CodecFeatures(network.intra.analysis), frames, planes[0], exclude, ResidualBlock, options)


def torchvision_task(options: argparse.Namespace) -> Task:
    """Features of a network of torchvision's with random weights."""
    torch.manual_seed(0)
    model = torchvision.models.get_model(options.network, weights=None)
    model.avgpool, model.fc = nn.Identity(), nn.Identity()
    convolutions = [name for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d)]
    pictures = torch.stack(read(options, "rgb"), 1)
    block = torchvision.models.resnet.BasicBlock
    return split(
        model, (pictures - 0.45) / 0.225, pictures.mean(1), (convolutions[0], convolutions[-1]), block, options
    )


def read(options: argparse.Namespace, form: Any) -> list[Tensor]:
    """Planes of all frames, 0..1, each (T, height, width)."""
    count = options.train_frames + options.frames
    with open_video(options.clip, working_format=form) as reader:
        pictures = [picture.planes for picture in islice(reader, options.start, options.start + count)]
    if len(pictures) < count:
        raise SystemExit(f"{options.clip}: has no {count} pictures from {options.start} on")
    planes = [torch.from_numpy(np.stack(plane)).float() / 255 for plane in zip(*pictures, strict=True)]
    height, width = (side // MULTIPLE * MULTIPLE for side in planes[0].shape[1:])
    smaller = [planes[0].shape[1] // plane.shape[1] for plane in planes]
    return [plane[:, : height // s, : width // s] for plane, s in zip(planes, smaller, strict=True)]


def split(
    model: nn.Module,
    frames: Tensor,
    luma: Tensor,
    exclude: tuple[str, ...],
    block: type[nn.Module],
    options: argparse.Namespace,
) -> Task:
    """The first frames are for training."""
    model.eval().requires_grad_(False)
    count = options.train_frames
    return Task(model, frames[:count], frames[count:], 255 * luma[count:], exclude, block)


class Labels:
    """Numbers of the clusters of a dense network's features."""

    def __init__(self, task: Task, clusters: int) -> None:
        features = torch.cat([rows_of(task.model(frame)) for frame in task.training[::8].split(1)])
        self.deviation = features.std(0).clamp_min(1e-6)
        features = features / self.deviation
        generator = torch.Generator().manual_seed(0)
        self.centres = features[torch.randperm(len(features), generator=generator)[:clusters]]
        for _ in range(20):
            nearest = torch.cdist(features, self.centres).argmin(1)
            sums = torch.zeros_like(self.centres).index_add_(0, nearest, features)
            counts = nearest.bincount(minlength=clusters)[:, None]
            self.centres = torch.where(counts > 0, sums / counts.clamp_min(1), self.centres)
        self.motion = [follow_motion(*pair) for pair in zip(task.luma[1:], task.luma[:-1], strict=True)]

    def agreement(self, outputs: list[Tensor]) -> float:
        """Temporal consistency of the labels of outputs (1, C, h, w), enlarged to the pictures' size."""
        consistency = TemporalConsistency(len(self.centres))
        size = self.motion[0].followed.shape
        labels = []
        for output in outputs:
            nearest = torch.cdist(rows_of(output) / self.deviation, self.centres).argmin(1)
            small = nearest.view(1, 1, *output.shape[2:]).float()
            labels.append(nn.functional.interpolate(small, size, mode="nearest")[0, 0].long())
        for current, previous, motion in zip(labels[1:], labels[:-1], self.motion, strict=True):
            consistency.update(current, previous, motion)
        return consistency.agreement


def rows_of(features: Tensor) -> Tensor:
    """(1, C, h, w) as (h * w, C)."""
    return features[0].flatten(1).T


def measure(task: Task, network: VideoNetwork, expected: list[Tensor]) -> tuple[float, list[Tensor]]:
    """Error on the frames that were not learned from, and all outputs."""
    assert network.key_interval is not None
    network.eval().reset()
    network.clear_cost()
    wrong = changed = 0.0
    outputs = []
    for number, frame in enumerate(task.frames.split(1)):
        found = network(frame)
        outputs.append(found)
        distance = number % network.key_interval
        if distance:
            wrong += float((found - expected[number]).square().sum())
            changed += float((expected[number] - expected[number - distance]).square().sum())
    return (wrong / changed) ** 0.5, outputs


def train(task: Task, network: VideoNetwork, cost_weight: float | None, options: argparse.Namespace) -> None:
    """Distil on random crops of clips as long as the key-frame interval."""
    assert network.key_interval is not None
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    parameters = student_parameters(network.train())
    optimizer = torch.optim.Adam(
        [
            {"params": [each for each in parameters if each.dim()], "lr": options.rate},
            {"params": [each for each in parameters if not each.dim()], "lr": 20 * options.rate},
        ]
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, options.steps))
    length = network.key_interval

    def draw(end: int) -> int:
        return int(torch.randint(max(1, end), (), generator=generator))

    for _ in range(options.steps):
        clips = []
        for _ in range(options.batch):
            first = draw(len(task.training) - length + 1)
            top, left = (draw((side - options.crop) // MULTIPLE + 1) * MULTIPLE for side in task.training.shape[2:])
            clip = task.training[first : first + length, :, top : top + options.crop, left : left + options.crop]
            clips.append(clip)
        network.forward_clip(torch.stack(clips))
        loss = distillation_loss(network, per_layer=options.per_layer)
        if cost_weight is not None:
            loss = loss + cost_weight * cost_loss(network)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def settings(task: Task, gamma: float, reference: Reference, options: argparse.Namespace) -> DeltaDistillation:
    """Without a search."""
    return DeltaDistillation(
        gamma=gamma,
        policy=options.policy,
        reference=reference,
        search=False,
        full="teacher",
        blocks=(task.block,) if options.blocks else (),
        block_inputs=options.block_inputs,
        block_downscale=options.downscale,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--interval", type=int, nargs="+", default=[2, 3, 6], help="key-frame intervals")
    parser.add_argument("--network", default="codec", help="codec, or the name of a residual network in torchvision")
    parser.add_argument("--clusters", type=int, default=8, help="labels whose temporal consistency is measured")
    parser.add_argument("--train-frames", type=int, default=48)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--start", type=int, default=0, help="number of the first picture")
    parser.add_argument("--gamma", type=float, nargs="+", default=[2.0, 4.0])
    parser.add_argument("--policy", choices=get_args(Policy), default=DeltaDistillation.policy)
    parser.add_argument("--reference", choices=get_args(Reference), nargs="+", default=get_args(Reference))
    parser.add_argument("--blocks", action="store_true", help="non-linear students of residual blocks")
    parser.add_argument("--block-inputs", default=DeltaDistillation.block_inputs)
    parser.add_argument("--downscale", type=int, default=DeltaDistillation.block_downscale)
    parser.add_argument("--search", type=float, nargs="*", default=[], help="weights of the cost")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--crop", type=int, default=96, help="side of training crops, as the network sees them")
    parser.add_argument("--per-layer", action="store_true", help="each layer's loss over its own first value")
    options = parser.parse_args()

    task = codec_task(options) if options.network == "codec" else torchvision_task(options)
    with torch.inference_mode():
        expected = [task.model(frame).clone() for frame in task.frames.split(1)]
        labels = Labels(task, options.clusters)
    print(f"{options.network} on {options.clip.name}, {options.steps} steps.")
    print(f"Agreement of the dense network's labels: {labels.agreement(expected):.4f}.\n")
    print(
        "| interval | reference | gamma | cost weight | times fewer MACs | error before | after "
        "| agreement before | after | full layers | s |\n" + "|---" * 11 + "|"
    )
    weights: list[float | None] = [None, *options.search]
    for interval, reference, gamma, weight in itertools.product(
        options.interval, options.reference, options.gamma, weights
    ):
        method = replace(settings(task, gamma, reference, options), search=weight is not None)
        network = accelerate(task.model, method, key_interval=interval, exclude=task.exclude)
        before, untrained = measure(task, network, expected)
        start = time.perf_counter()
        train(task, network, weight, options)
        seconds = time.perf_counter() - start
        choices = list(finalize(network).values())
        after, trained = measure(task, network, expected)
        agreement = f"{labels.agreement(untrained):.4f} | {labels.agreement(trained):.4f}"
        print(
            f"| {interval} | {reference} | {gamma:g} | {'none' if weight is None else f'{weight:g}'} "
            f"| {network.cost().ratio:.2f} | {before:.3f} | {after:.3f} | {agreement} "
            f"| {choices.count('full')} of {len(choices)} | {seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
