"""Train the default model on prepared clips, in two stages that end by the clock.

    python -m training.train_default intra CLIPS RUN --minutes 60
    python -m training.train_default inter CLIPS RUN --minutes 60 --intra RUN/intra.pt

Transforms start from principal components, motion from block matching, priors from measured deviations. Every sample
of a batch has a random quality; the loss is bits per pixel plus squared error over 4:2:0 samples, weighed so that the
optimal quantization step is the quality's nominal one. Each stage keeps its last checkpoint and resumes from it.
With ``--processes N`` the gradients of N single-thread processes are averaged.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as distributed
import torch.multiprocessing as multiprocessing
from torch import Tensor, nn

from codec.models.hyperprior import MeanScaleHyperprior
from codec.models.quality import HIGHEST_QUALITY, LatentGain, quantization_step
from codec.models.scaleflow import ScaleFlowNetwork, block_difference
from codec.models.transforms import PATCH, SAMPLE_RANGE, pack_planes, principal_components, start_from_basis
from training.clips import ClipArrays

logger = logging.getLogger("training")

DISTORTION_OVER_STEP = 0.13
"""Squared error per bit at the optimum, in units of the squared quantization step (rate-distortion slope)."""

LOW_RATE_EMPHASIS = 0.45
"""Power of the quantization step by which losses are weighed: without it, high rates would drown low ones."""


@dataclass(frozen=True)
class FrameLoss:
    """One picture's loss and its parts, means over the batch; ``mse`` in squared code values of 8 bits."""

    loss: Tensor
    bits_per_pixel: Tensor
    mse: Tensor


def rate_distortion(picture: Tensor, decoded: Tensor, bits: Tensor, quality: Tensor) -> FrameLoss:
    """Loss of packed pictures (N, 6, H, W) with ``bits`` (N,) each, at ``quality`` (N,)."""
    pixels = picture.shape[2] * picture.shape[3] * 4
    mse = (picture - decoded).square().mean((1, 2, 3)) * (255 / SAMPLE_RANGE) ** 2
    bits_per_pixel = bits / pixels
    step = quantization_step(quality)
    # 1.5 samples a pixel; the last factor keeps low rates, whose loss is small, from being neglected
    loss = (bits_per_pixel + 1.5 * mse / (DISTORTION_OVER_STEP * step**2)) * (step / 20) ** LOW_RATE_EMPHASIS
    return FrameLoss(loss.mean(), bits_per_pixel.mean(), mse.mean())


def as_reference(decoded: Tensor) -> Tensor:
    """A packed picture as the decoder keeps it: within range and rounded to 8 bits; gradients pass the rounding."""
    values = ((decoded / SAMPLE_RANGE + 0.5) * 255).clamp(0, 255)
    rounded = values + (values.round() - values).detach()
    return (rounded / 255 - 0.5) * SAMPLE_RANGE


def patches_of(packed: Tensor, number: int = 150_000) -> Tensor:
    """Random 8x8 patches of packed pictures, (M, 6 * 64)."""
    patches = nn.functional.unfold(packed, PATCH, stride=PATCH).transpose(1, 2).reshape(-1, packed.shape[1] * PATCH**2)
    return patches[torch.randperm(len(patches))[:number]]


def intra_step(network: ScaleFlowNetwork, clips: ClipArrays, generator: np.random.Generator) -> FrameLoss:
    """Loss of one batch of intra pictures."""
    quality = random_quality(6, generator)
    batch = clips.sample(quality.tolist(), 1, generator)
    picture = pack_planes(batch.luma[:, 0], batch.chroma[:, 0])
    with torch.autocast("cpu", torch.bfloat16):
        decoded, coded = network.intra(picture, quality)
    return rate_distortion(picture, decoded, coded.bits_latents + coded.bits_hyper, quality)


def random_quality(number: int, generator: np.random.Generator) -> Tensor:
    """Qualities spread evenly over 0..63, one in each of ``number`` strata."""
    strata = (np.arange(number) + generator.random(number)) / number
    return torch.from_numpy(generator.permutation(strata) * HIGHEST_QUALITY).float()


def inter_frames(network: ScaleFlowNetwork, batch_planes: list[Tensor], vectors: Tensor, quality: Tensor) -> list[dict]:
    """Code a clip: the first picture intra (no gradient), the others from the one before; one record a picture."""
    with torch.no_grad():
        intra_quality = (quality + 4 + 8 * torch.rand_like(quality)).clamp(max=HIGHEST_QUALITY)
        decoded, _ = network.intra(batch_planes[0], intra_quality)
        reference = as_reference(decoded)
    height, width = reference.shape[2] // PATCH, reference.shape[3] // PATCH
    motion_before = reference.new_zeros(len(reference), network.config.motion_latents, height, width)
    residual_before = reference.new_zeros(len(reference), network.config.residual_latents, height, width)
    records = []
    for t, picture in enumerate(batch_planes[1:]):
        difference = block_difference(picture, reference.detach(), vectors[:, t])
        motion_latents = network.motion.analysis(vectors[:, t], difference, quality)
        motion = network.motion.hyperprior(motion_latents, network.motion.gain(quality), motion_before)
        prediction = network.predict(motion.values, reference, quality)
        packed = prediction.picture
        latents = network.residual.analysis(picture - packed, quality, packed)
        context = torch.cat((residual_before, motion.values), 1)
        residual = network.residual.hyperprior(latents, network.residual.gain(quality), context)
        decoded = packed + network.residual.synthesis(residual.values, quality, motion.values, packed)
        motion_bits = motion.bits_latents + motion.bits_hyper
        bits = motion_bits + residual.bits_latents + residual.bits_hyper
        records.append(
            {
                "frame": rate_distortion(picture, decoded, bits, quality),
                "prediction_mse": (picture - packed).square().mean() * (255 / SAMPLE_RANGE) ** 2,
                "prediction_loss": (
                    1.5
                    * (picture - packed).square().mean((1, 2, 3))
                    * (255 / SAMPLE_RANGE) ** 2
                    / (DISTORTION_OVER_STEP * quantization_step(quality) ** 2)
                    * (quantization_step(quality) / 20) ** LOW_RATE_EMPHASIS
                ).mean(),
                "motion_bpp": motion_bits.mean() / (picture.shape[2] * picture.shape[3] * 4),
                "hyper_bpp": (motion.bits_hyper + residual.bits_hyper).mean()
                / (picture.shape[2] * picture.shape[3] * 4),
                "scale": (prediction.scale > 0.5).float().mean(),
                "residual": picture - packed,
            }
        )
        reference = as_reference(decoded)
        motion_before, residual_before = motion.values.detach(), residual.values.detach()
    return records


def packed_clip(
    clips: ClipArrays, quality: Tensor, frames: int, generator: np.random.Generator
) -> tuple[list[Tensor], Tensor]:
    """Packed pictures of a random batch, one tensor for each time, and the vectors between them."""
    batch = clips.sample(quality.tolist(), frames, generator)
    return [pack_planes(batch.luma[:, t], batch.chroma[:, t]) for t in range(frames)], batch.vectors


def inter_step(
    network: ScaleFlowNetwork,
    clips: ClipArrays,
    generator: np.random.Generator,
    progress: float,
    unroll: tuple[int, int],
) -> tuple[FrameLoss, dict]:
    """Loss of one batch of clips, which grow longer as training goes on so that the model meets its own errors."""
    first, later = unroll
    frames = first if progress < 0.35 else later
    number = max(2, 12 // frames)
    quality = random_quality(number, generator)
    planes, vectors = packed_clip(clips, quality, frames, generator)
    with torch.autocast("cpu", torch.bfloat16):
        records = inter_frames(network, planes, vectors, quality)
    count = len(records)
    total = FrameLoss(
        sum(r["frame"].loss + 0.1 * r["prediction_loss"] for r in records) / count,
        sum(r["frame"].bits_per_pixel for r in records) / count,
        sum(r["frame"].mse for r in records) / count,
    )
    detail = {
        k: float(sum(r[k] for r in records)) / count for k in ("prediction_mse", "motion_bpp", "hyper_bpp", "scale")
    }
    return total, detail


@torch.no_grad()
def start_intra(network: ScaleFlowNetwork, clips: ClipArrays) -> None:
    """Principal components of pictures."""
    generator = np.random.default_rng(1)
    batches = [clips.sample([30.0] * 24, 1, generator) for _ in range(15)]
    patches = torch.cat([patches_of(pack_planes(b.luma[:, 0], b.chroma[:, 0])) for b in batches])
    basis, deviations = principal_components(patches, network.config.intra_latents)
    start_from_basis(network.intra.analysis, network.intra.synthesis, basis)
    network.intra.hyperprior.start_from_deviations(deviations)
    network.intra.hyperprior.start_hyper_latents(
        network.intra.analysis.linear(pack_planes(batches[0].luma[:, 0], batches[0].chroma[:, 0]))
    )


@torch.no_grad()
def start_inter(network: ScaleFlowNetwork, clips: ClipArrays) -> None:
    """Principal components of what block-matched prediction misses; priors from measured deviations."""
    generator = np.random.default_rng(2)
    patches, motion = [], []
    for _ in range(40):
        quality = random_quality(6, generator)
        planes, vectors = packed_clip(clips, quality, 2, generator)
        records = inter_frames(network, planes, vectors, quality)
        patches.append(patches_of(records[0]["residual"]))
        motion.append(network.motion.analysis.linear(nn.functional.pixel_unshuffle(vectors[:, 0], 2)))
    basis, deviations = principal_components(torch.cat(patches), network.config.residual_latents)
    start_from_basis(network.residual.analysis, network.residual.synthesis, basis)
    network.residual.hyperprior.start_from_deviations(deviations)
    spread = torch.cat(motion).abs().mean((0, 2, 3)).clamp_min(0.05)
    network.motion.hyperprior.start_from_deviations(spread)
    network.motion.hyperprior.start_hyper_latents(motion[-1] * 2)
    latents = network.residual.analysis.linear(records[0]["residual"])
    network.residual.hyperprior.start_hyper_latents(latents)


class Averaged:
    """Exponential moving average of parameters."""

    def __init__(self, parameters: list[nn.Parameter], decay: float = 0.999) -> None:
        self.parameters, self.decay, self.steps = parameters, decay, 0
        self.values = [p.detach().clone() for p in parameters]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the parameters as they are now."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        torch._foreach_lerp_(self.values, [p.detach() for p in self.parameters], 1 - decay)


def trained_parameters(network: ScaleFlowNetwork, stage: str) -> list[nn.Parameter]:
    """The parameters that a stage changes."""
    modules = [network.intra] if stage == "intra" else [network.motion, network.residual]
    return [p for m in modules for n, p in m.named_parameters() if not n.endswith("quantiles")]


def train(rank: int, arguments: argparse.Namespace) -> None:
    """One process of a stage."""
    logging.basicConfig(level=logging.INFO if rank == 0 else logging.WARNING, format="%(message)s")
    torch.set_num_threads(1)
    if arguments.processes > 1:
        os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
        os.environ.setdefault("MASTER_PORT", str(arguments.port))
        distributed.init_process_group("gloo", rank=rank, world_size=arguments.processes)
    torch.manual_seed(1000 + rank)
    generator = np.random.default_rng([int(time.time()), rank])
    clips = ClipArrays(arguments.clips)
    torch.manual_seed(0)
    network = ScaleFlowNetwork().to(memory_format=torch.channels_last)
    path = arguments.run / f"{arguments.stage}.pt"
    elapsed_before, step = 0.0, 0
    if arguments.stage == "inter":
        network.intra.load_state_dict(torch.load(arguments.intra, weights_only=True)["averaged"]["intra"])
    if arguments.start is not None:
        load_modules(network, arguments.stage, torch.load(arguments.start, weights_only=True)["averaged"])
    elif arguments.stage == "intra":
        start_intra(network, clips)
    else:
        start_inter(network, clips)
    torch.manual_seed(1000 + rank + int(time.time()))
    parameters = trained_parameters(network, arguments.stage)
    # priors and gains have few, well-conditioned parameters and pay for being late
    quick = (MeanScaleHyperprior, LatentGain)
    fast_ids = {id(p) for m in network.modules() if isinstance(m, quick) for p in m.parameters()}
    groups = [
        {"params": [p for p in parameters if id(p) not in fast_ids], "scale": 1.0},
        {"params": [p for p in parameters if id(p) in fast_ids], "scale": 2.5},
    ]
    optimizer = torch.optim.Adam(groups, lr=arguments.lr, betas=(0.9, 0.98))
    averaged = Averaged(parameters)
    if path.exists() and arguments.resume:
        state = torch.load(path, weights_only=True)
        load_modules(network, arguments.stage, state["current"])
        optimizer.load_state_dict(state["optimizer"])
        averaged.values, averaged.steps = state["average_values"], state["step"]
        elapsed_before, step = state["elapsed"], state["step"]
    network.train()
    start = time.time()
    budget = arguments.minutes * 60
    sums: dict[str, float] = {}
    counted, last_log, last_save = 0, time.time(), time.time()
    while True:
        elapsed = elapsed_before + time.time() - start
        if arguments.processes > 1:  # every process must stop at the same step
            clock = torch.tensor([elapsed])
            distributed.broadcast(clock, 0)
            elapsed = float(clock)
        progress = elapsed / budget
        if progress >= 1:
            break
        rate = arguments.lr * min(1, (step + 1) / 150) * max(0.02, 0.5 * (1 + math.cos(math.pi * progress)))
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        detail: dict[str, float] = {}
        if arguments.stage == "intra":
            total = intra_step(network, clips, generator)
        else:
            total, detail = inter_step(network, clips, generator, progress, tuple(arguments.unroll))
        optimizer.zero_grad(set_to_none=True)
        total.loss.backward()
        gradients = [p.grad for p in parameters if p.grad is not None]
        if arguments.processes > 1:
            flat = torch.cat([g.flatten() for g in gradients])
            distributed.all_reduce(flat)
            flat /= arguments.processes
            for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
                gradient.copy_(part.view_as(gradient))
        norm = nn.utils.clip_grad_norm_(parameters, 1.0)
        if torch.isfinite(norm):
            optimizer.step()
            averaged.update()
        step += 1
        counted += 1
        values = {"loss": float(total.loss), "bpp": float(total.bits_per_pixel), "mse": float(total.mse), **detail}
        for key, value in values.items():
            sums[key] = sums.get(key, 0) + value
        if time.time() - last_log > 30 or step in (1, 10, 50, 100):
            text = " ".join(f"{key} {value / counted:.4f}" for key, value in sums.items())
            logger.info(
                "%6.0f s step %d %s lr %.1e %.2f step/s",
                elapsed,
                step,
                text,
                rate,
                counted / (time.time() - last_log + 1e-9),
            )
            sums, counted, last_log = {}, 0, time.time()
        if rank == 0 and time.time() - last_save > 120:
            save(path, network, arguments.stage, optimizer, averaged, step, elapsed)
            last_save = time.time()
    if rank == 0:
        save(path, network, arguments.stage, optimizer, averaged, step, elapsed)


def stage_modules(network: ScaleFlowNetwork, stage: str) -> dict[str, nn.Module]:
    """The modules that a stage's checkpoint holds."""
    return {"intra": network.intra} if stage == "intra" else {"motion": network.motion, "residual": network.residual}


def load_modules(network: ScaleFlowNetwork, stage: str, states: dict[str, dict[str, Tensor]]) -> None:
    """Load a stage's weights."""
    for name, module in stage_modules(network, stage).items():
        module.load_state_dict(states[name])


def save(
    path: Path,
    network: ScaleFlowNetwork,
    stage: str,
    optimizer: torch.optim.Optimizer,
    averaged: Averaged,
    step: int,
    elapsed: float,
) -> None:
    """Write a checkpoint under a temporary name and rename it, so that a kill leaves the last one whole."""
    modules = stage_modules(network, stage)
    current = {name: {k: v.clone() for k, v in module.state_dict().items()} for name, module in modules.items()}
    place = {id(p): v for p, v in zip(averaged.parameters, averaged.values, strict=True)}
    mean = {name: dict(state) for name, state in current.items()}
    for name, module in modules.items():
        for key, parameter in module.named_parameters():
            if id(parameter) in place:
                mean[name][key] = place[id(parameter)].clone()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    torch.save(
        {
            "current": current,
            "averaged": mean,
            "optimizer": optimizer.state_dict(),
            "average_values": averaged.values,
            "step": step,
            "elapsed": elapsed,
        },
        temporary,
    )
    os.replace(temporary, path)


def main() -> None:
    """Parse the command line and run one stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=("intra", "inter"))
    parser.add_argument("clips", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--intra", type=Path, help="intra checkpoint, for the inter stage")
    parser.add_argument("--start", type=Path, help="checkpoint of the same stage whose weights to start from")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--unroll", type=int, nargs=2, default=(3, 4), help="pictures of a clip, at first and later")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--port", type=int, default=29511)
    arguments = parser.parse_args()
    if arguments.processes > 1:
        multiprocessing.spawn(train, (arguments,), nprocs=arguments.processes)
    else:
        train(0, arguments)


if __name__ == "__main__":
    main()
