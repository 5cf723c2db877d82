"""Ways to restore decoded pictures, measured beside each other on the same pictures with the same noise."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from scaleflow.efficient_nets.clockwork.clock import Clock
from scaleflow.efficient_nets.clockwork.network import ClockworkUNet, trajectory_cost
from scaleflow.efficient_nets.clockwork.split import UNetSplit
from scaleflow.efficient_nets.clockwork.weights_file import TrainedAdaptor
from scaleflow.efficient_nets.diffusion.restoration import RestorationDiffusion
from scaleflow.efficient_nets.video.cost import Cost
from scaleflow.errors import UsageError
from scaleflow.evaluation.metrics.frechet_distance import FeatureStatistics, frechet_distance
from scaleflow.evaluation.restoration.coded_clip import CodedClip
from scaleflow.evaluation.restoration.feature_distance import alexnet_features


@dataclass(frozen=True)
class RestorationSetting:
    """One way to restore.

    Attributes:
        name: for tables.
        steps: of the trajectory; 0 leaves the decoded picture as it is.
        clock: ``Clock(period=1)`` computes everything in full.
        adaptor: a learned one; the identity where there is none.
        cut: scales outside.
    """

    name: str
    steps: int
    clock: Clock = field(default_factory=lambda: Clock(period=1))
    adaptor: TrainedAdaptor | None = None
    cut: int = 1

    def network(self, model: RestorationDiffusion) -> ClockworkUNet:
        """The clocked UNet."""
        adaptor = self.adaptor.adaptor if self.adaptor is not None else None
        return ClockworkUNet(UNetSplit(model.unet, self.cut), self.clock, adaptor).eval()


@dataclass(frozen=True)
class RestorationPoint:
    """Means over all pictures.

    Attributes:
        name, steps, clock: of the setting; ``clock`` is empty where nothing is sampled.
        gmacs: a picture, in units of 10^9.
        saved: share of the MACs of full sampling with the same steps that were saved, 0..1.
        seconds: a picture, wall time.
        cpu_seconds: a picture, of all threads; says more where a machine is busy otherwise.
        lpips: with AlexNet; lower is better.
        psnr: of RGB, dB; mean over pictures.
        frechet: see :mod:`scaleflow.evaluation.metrics.frechet_distance`; not an FID.
        pictures: how many.
    """

    name: str
    steps: int
    clock: str
    gmacs: float
    saved: float
    seconds: float
    cpu_seconds: float
    lpips: float
    psnr: float
    frechet: float
    pictures: int


def standard_settings(
    model: RestorationDiffusion, steps: int, period: int, size: tuple[int, int], adaptor: TrainedAdaptor | None
) -> list[RestorationSetting]:
    """The decoded picture, full sampling, clocks with identity and learned adaptors, and fewer steps at equal MACs.

    Args:
        size: (height, width) of the pictures, for the MACs.
        adaptor: a learned one, if there is one.

    Raises:
        UsageError: the clock leaves nothing to save, or the adaptor was made for other steps.
    """
    if period < 2 or steps < 2:
        raise UsageError(f"steps = {steps}, period = {period}: both must be 2 or more, or there is nothing to compare")
    if adaptor is not None and adaptor.steps != steps:
        raise UsageError(
            f"steps {steps}: the adaptor was distilled for {adaptor.steps}, use as many", fields=("steps",)
        )
    cut = adaptor.cut if adaptor is not None else 1
    alternating = RestorationSetting("clockwork, identity, alternating", steps, Clock(period), cut=cut)
    cost = setting_cost(model, alternating, size)
    equal = max(1, round(steps / cost.ratio))
    settings = [
        RestorationSetting("decoded", 0),
        RestorationSetting("diffusion, full", steps),
        RestorationSetting("diffusion, fewer steps", equal),
        alternating,
        RestorationSetting("clockwork, identity, consecutive", steps, Clock(period, pattern="last"), cut=cut),
    ]
    if adaptor is not None:
        settings.append(RestorationSetting("clockwork, learned adaptor", steps, adaptor.clock, adaptor, cut))
    return settings


def setting_cost(model: RestorationDiffusion, setting: RestorationSetting, size: tuple[int, int]) -> Cost:
    """MACs of one picture of (height, width)."""
    if not setting.steps:
        return Cost()
    sample = torch.empty(1, model.unet.config.inputs, *model.padded_size(*size), device="meta")
    return trajectory_cost(setting.network(model), setting.steps, sample, torch.empty(1, device="meta"))


def measure_settings(
    model: RestorationDiffusion,
    clips: Sequence[CodedClip],
    settings: Sequence[RestorationSetting],
    lpips: Any,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[RestorationPoint]:
    """Measure settings one after the other; restored pictures are rounded to 8 bits first.

    Args:
        lpips: the network of :func:`scaleflow.evaluation.metrics.lpips.load_lpips`.
        progress: is told how many settings are done.
    """
    pairs = [pair for clip in clips for pair in zip(clip.original, clip.decoded, strict=True)]
    reference = FeatureStatistics()
    for original, _ in pairs:
        reference.add(alexnet_features(lpips, original[None]))
    for number, setting in enumerate(settings, 1):
        yield _measure(model, pairs, setting, lpips, reference, seed)
        progress(number, len(settings))


@torch.inference_mode()
def _measure(
    model: RestorationDiffusion,
    pairs: Sequence[tuple[Tensor, Tensor]],
    setting: RestorationSetting,
    lpips: Any,
    reference: FeatureStatistics,
    seed: int,
) -> RestorationPoint:
    network, seen = setting.network(model), FeatureStatistics()
    distances, psnrs, cost, seconds, cpu_seconds = 0.0, 0.0, Cost(), 0.0, 0.0
    costs: dict[tuple[int, int], Cost] = {}
    for original, decoded in pairs:
        size = (original.shape[1], original.shape[2])
        restored = decoded[None]
        if setting.steps:
            noise = model.noise_for(*size, seed)
            started, cpu_started = time.perf_counter(), time.process_time()
            restored = model.restore(restored, setting.steps, noise, network.reset(setting.steps))
            seconds += time.perf_counter() - started
            cpu_seconds += time.process_time() - cpu_started
        restored = (255 * restored).round() / 255
        if size not in costs:
            costs[size] = setting_cost(model, setting, size)
        cost += costs[size]
        distances += float(lpips(2 * original[None] - 1, 2 * restored - 1))
        psnrs += -10 * math.log10(max(1e-10, float((restored[0] - original).square().mean())))
        seen.add(alexnet_features(lpips, restored))
    count = len(pairs)
    return RestorationPoint(
        name=setting.name,
        steps=setting.steps,
        clock=str(setting.clock) if setting.steps else "",
        gmacs=cost.macs / count / 1e9,
        saved=1 - cost.macs / cost.dense_macs if cost.dense_macs else 0.0,
        seconds=seconds / count,
        cpu_seconds=cpu_seconds / count,
        lpips=distances / count,
        psnr=psnrs / count,
        frechet=frechet_distance(reference, seen),
        pictures=count,
    )
