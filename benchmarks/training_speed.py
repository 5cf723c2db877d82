"""Pixels that one training step works through in a second, beside CompressAI's ``train_video``, in the same run.

    python -m benchmarks.training_speed CLIP [--crop 128 256] [--batch 4] [--frames 3] [--threads 1] [--device cuda]
        [--only 'inter stage']

All steps see the same crops of the same pictures and take turns step by step, so that other load on the machine falls
on all of them; medians are reported. Loading is left out, see :mod:`benchmarks.data_loading`. A step is forward,
backward, clipping, Adam and, of ours, the moving average of the weights. CompressAI's step is that of its example:
float32, an optimizer of its own for the quantiles; it has no bf16, which is measured as a user would add it.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from compressai.models.video import ScaleSpaceFlow
from torch import Tensor, nn

from benchmarks.codec_speed import read_crop
from scaleflow.codec.models.video_model import Precision
from scaleflow.codec.picture import WorkingFormat
from scaleflow.training.codec.configuration import ModelConfig, OptimizationConfig, StageConfig, TrainingConfig
from scaleflow.training.codec.losses import spread_qualities
from scaleflow.training.codec.models.trainable import ClipBatch
from scaleflow.training.codec.run import make_model
from scaleflow.training.data.configuration import DataConfig
from scaleflow.training.loop.moving_average import MovingAverage

ModelName = Literal["default", "recurrent", "ssf2020"]
Trained = Literal["inter", "all"]
Step = Callable[[], Tensor]
"""One step of one model on its batch; returns the loss."""
Material = Mapping[WorkingFormat, ClipBatch]
"""The same clips as different models take them, on the device."""

DISTORTION_WEIGHT = 0.0067
LEARNING_RATE, QUANTILES_LEARNING_RATE = 1e-4, 1e-3
CLIP_NORM = 1.0
CELL = 128
"""Sides of pictures are multiples of this in CompressAI's model."""


class OurStep:
    """A step as the training loop makes it, with one process and one part."""

    def __init__(self, name: ModelName, trains: Trained, precision: Precision, material: Material) -> None:
        optimization = OptimizationConfig(precision=precision)
        frames = next(iter(material.values())).frames
        self._stage = StageConfig(trains, trains, steps=1000, unroll=(frames, frames))
        model = ModelConfig(name=name, start="random", distortion_weight=DISTORTION_WEIGHT)
        data = DataConfig(crop=CELL)  # nothing is loaded; what is coded is in `material`
        self._model = make_model(
            TrainingConfig(stages=(self._stage,), data=data, model=model, optimization=optimization)
        )
        self._batch = material[self._model.working_format]
        self._model.network.to(self._batch.quality.device).train()
        groups = self._model.parameter_groups(self._stage)
        self._clipped = [parameter for group in groups if group.clipped for parameter in group.parameters]
        self._optimizer = torch.optim.Adam(
            [{"params": group.parameters, "lr": LEARNING_RATE * group.rate} for group in groups],
            betas=optimization.betas,
        )
        named = {name: p for group in groups for name, p in zip(group.names, group.parameters, strict=True)}
        self._average = MovingAverage(named, optimization.average)

    def __call__(self) -> Tensor:
        """See :data:`Step`."""
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._model.step(self._batch, self._stage).loss
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self._clipped, CLIP_NORM)
        if not torch.isfinite(norm):  # the loop looks as well, and leaves such a step out
            raise RuntimeError("the gradient is not finite")
        self._optimizer.step()
        self._average.update()
        return loss.detach()


class CompressaiStep:
    """A step as CompressAI's example makes it."""

    def __init__(self, precision: Precision, material: Material) -> None:
        torch.manual_seed(0)
        batch = material["rgb"]
        device = batch.quality.device
        self._network: ScaleSpaceFlow = ScaleSpaceFlow().to(device).train()
        named = dict(self._network.named_parameters())
        quantiles = [parameter for name, parameter in named.items() if name.endswith(".quantiles")]
        others = [parameter for name, parameter in named.items() if not name.endswith(".quantiles")]
        self._optimizer = torch.optim.Adam(others, lr=LEARNING_RATE)
        self._quantiles_optimizer = torch.optim.Adam(quantiles, lr=QUANTILES_LEARNING_RATE)
        self._pictures = [batch.planes[0][:, t].contiguous() for t in range(batch.frames)]
        self._autocast = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")

    def __call__(self) -> Tensor:
        """See :data:`Step`."""
        self._optimizer.zero_grad()
        self._quantiles_optimizer.zero_grad()
        with self._autocast:
            coded = self._network(self._pictures)
        loss = self._loss(coded)
        loss.backward()
        nn.utils.clip_grad_norm_(self._network.parameters(), CLIP_NORM)
        self._optimizer.step()
        for quantiles_loss in self._network.aux_loss():
            quantiles_loss.backward()
        self._quantiles_optimizer.step()
        return loss.detach()

    def _loss(self, coded: dict[str, list[Any]]) -> Tensor:
        """lambda * 255^2 * MSE + bits per pixel, means over pictures."""
        pictures = self._pictures
        tensors = [
            likelihoods
            for of_picture in coded["likelihoods"]
            for of_part in of_picture.values()
            for likelihoods in of_part.values()
        ]
        pixels = len(pictures) * pictures[0].shape[0] * pictures[0].shape[2:].numel()
        bits = torch.stack([likelihoods.float().log().sum() for likelihoods in tensors]).sum() / -math.log(2)
        errors = [
            nn.functional.mse_loss(theirs.float(), ours) for theirs, ours in zip(coded["x_hat"], pictures, strict=True)
        ]
        return DISTORTION_WEIGHT * 255**2 * torch.stack(errors).mean() + bits / pixels


@dataclass(frozen=True)
class Contender:
    """A line of the table."""

    name: str
    precision: Precision
    make: Callable[[Material], Step]


def contenders(wanted: str = "") -> list[Contender]:
    """Those whose names hold ``wanted``; the first one is what the others are compared with."""
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    ours: dict[str, tuple[ModelName, Trained]] = {
        "ScaleFlow ssf2020": ("ssf2020", "all"),
        "ScaleFlow default, inter stage": ("default", "inter"),
        "ScaleFlow default, all parts": ("default", "all"),
        "ScaleFlow recurrent, inter stage": ("recurrent", "inter"),
        "ScaleFlow recurrent, all parts": ("recurrent", "all"),
    }
    found = [Contender("CompressAI train_video", p, partial(CompressaiStep, p)) for p in precisions]
    found += [Contender(name, p, partial(OurStep, *kind, p)) for name, kind in ours.items() for p in precisions]
    return [contender for contender in found if wanted in contender.name]


def read_material(clip: Path, crop: int, batch: int, frames: int, device: torch.device) -> Material:
    """Successive groups of pictures of a clip, its middle, as one batch."""

    def planes_of(working_format: WorkingFormat) -> list[Tensor]:
        pictures = read_crop(clip, (crop, crop), batch * frames, working_format)
        stacked = [torch.from_numpy(np.stack(planes)) for planes in zip(*pictures, strict=True)]
        return [(plane.float() / 255).reshape(batch, frames, 1, *plane.shape[1:]).to(device) for plane in stacked]

    quality = spread_qualities(0, batch, 0, 63, 0).to(device)
    luma, *chroma = planes_of("yuv420")
    return {
        "yuv420": ClipBatch((luma, torch.cat(chroma, 2)), quality),
        "rgb": ClipBatch((torch.cat(planes_of("rgb"), 2),), quality),
    }


def seconds_of(step: Step, device: torch.device) -> float:
    """Of one step, until the device is done.

    Raises:
        RuntimeError: the loss is not finite: such a step is not what it should be.
    """
    start = time.perf_counter()
    loss = step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds = time.perf_counter() - start
    if not torch.isfinite(loss):
        raise RuntimeError("the loss is not finite")
    return seconds


def measure(material: Material, steps: int, device: torch.device, wanted: str) -> dict[Contender, float | str]:
    """Median seconds of a step of each contender, or why there is none."""
    field = contenders(wanted)
    made: dict[Contender, Step] = {}
    failed: dict[Contender, str] = {}
    times: dict[Contender, list[float]] = {}
    for number in range(steps + 1):
        for contender in field:
            if contender in failed:
                continue
            try:
                if contender not in made:
                    made[contender] = contender.make(material)
                seconds = seconds_of(made[contender], device)
            except RuntimeError as error:
                failed[contender] = str(error).splitlines()[0]
                continue
            if number:  # the first step allocates
                times.setdefault(contender, []).append(seconds)
    return {c: failed[c] if c in failed else float(np.median(times[c])) for c in field}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--crop", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=7, help="that are measured, of each")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", default="", help="steps whose names hold this, such as 'inter stage'")
    options = parser.parse_args()
    if any(crop % CELL for crop in options.crop):
        parser.error(f"--crop {options.crop}: CompressAI's model needs multiples of {CELL}")
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {options.threads} threads"
    print(f"Batch {options.batch}, {options.frames} pictures, {where}, median of {options.steps} steps.")
    print("\n| crop | step | precision | seconds | pixels a second | times the first |\n|---|---|---|---|---|---|")
    for crop in options.crop:
        material = read_material(options.clip, crop, options.batch, options.frames, device)
        pixels = options.batch * options.frames * crop**2
        seconds = measure(material, options.steps, device, options.only)
        anchor = next(iter(seconds.values()))
        for contender, outcome in seconds.items():
            line = f"| {crop} | {contender.name} | {contender.precision} | "
            if isinstance(outcome, str):
                print(f"{line}{outcome} | | |")
                continue
            ratio = "" if isinstance(anchor, str) else f"{anchor / outcome:.2f}"
            print(f"{line}{outcome:.3f} | {pixels / outcome:,.0f} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
