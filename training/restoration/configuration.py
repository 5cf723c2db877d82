"""Configuration of the training of a restoration diffusion model, and of the distillation of its adaptor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from scaleflow.efficient_nets.clockwork.adaptor import AdaptorConfig
from scaleflow.efficient_nets.clockwork.clock import Clock
from scaleflow.efficient_nets.clockwork.distillation import Follow
from scaleflow.efficient_nets.diffusion.noise_schedule import NoiseSchedule
from scaleflow.efficient_nets.diffusion.unet import UNetConfig, small_unet
from scaleflow.errors import UsageError
from scaleflow.quality_range import is_quality
from scaleflow.training.loop.configuration import STRICT, RunConfig, check_range
from scaleflow.training.loop.single_stage import SingleStage


@dataclass(frozen=True)
class PairsConfig:
    """Pairs of original and decoded patches, which the installed codec makes once.

    Attributes:
        path: folder of videos.
        quality: lowest and highest quality of the codec; each clip has one at random.
        patch: side of the coded patches, in samples; a multiple of 64.
        clips: how many places are coded.
        frames: successive pictures of each, of which the first is a key picture.
        held_out: clips that are validated on instead.
        crop: side of the parts of patches that are trained on, in samples.
    """

    __pydantic_config__ = STRICT

    path: str = ""
    quality: tuple[float, float] = (0.0, 12.0)
    patch: int = 128
    clips: int = 256
    frames: int = 3
    held_out: int = 8
    crop: int = 64

    def __post_init__(self) -> None:
        if not (all(map(is_quality, self.quality)) and self.quality[0] <= self.quality[1]):
            raise UsageError(f"data.quality = {self.quality}: two rising numbers within 0..63 are needed")
        check_range("data.patch", self.patch, 64, 1024)
        if self.patch % 64:
            raise UsageError(f"data.patch = {self.patch} is no multiple of 64: use {self.patch // 64 * 64}")
        check_range("data.clips", self.clips, 2, 10**6)
        check_range("data.frames", self.frames, 1, 32)
        check_range("data.held_out", self.held_out, 1, self.clips - 1)
        check_range("data.crop", self.crop, 16, self.patch)


@dataclass(frozen=True)
class ValidationEvery:
    """When the loss on held-out pairs is measured: every so many steps; 0 only at the end."""

    __pydantic_config__ = STRICT

    every: int = 0

    def __post_init__(self) -> None:
        check_range("validation.every", self.every, 0, 10**9)


@dataclass(frozen=True)
class DiffusionTrainingConfig(RunConfig):
    """A whole run.

    Attributes:
        data, network, noise, training, optimization, validation: see there.
    """

    __pydantic_config__ = STRICT
    kept_when_resumed: ClassVar[Sequence[str]] = ("network", "noise", "training", "optimization", "seed")

    data: PairsConfig = field(default_factory=PairsConfig)
    network: UNetConfig = field(default_factory=small_unet)
    noise: NoiseSchedule = field(default_factory=NoiseSchedule)
    training: SingleStage = field(default_factory=SingleStage)
    validation: ValidationEvery = field(default_factory=ValidationEvery)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data.crop % self.network.multiple:
            raise UsageError(
                f"data.crop = {self.data.crop} is no multiple of {self.network.multiple}, as the UNet needs"
            )

    @property
    def stages(self) -> tuple[SingleStage, ...]:
        """See :class:`scaleflow.training.loop.parts.LoopConfig`."""
        return (self.training,)


@dataclass(frozen=True)
class SamplingConfig:
    """Trajectories that an adaptor learns from, and is made for.

    Attributes:
        steps: of a trajectory.
        cut: scales of the UNet that lie outside, from the finest on.
        follow: see :func:`scaleflow.efficient_nets.clockwork.distillation.distillation_loss`.
        crop: side of the parts of patches, in samples; 0 for that of the run.
    """

    __pydantic_config__ = STRICT

    steps: int = 8
    cut: int = 1
    follow: Follow = "own"
    crop: int = 0

    def __post_init__(self) -> None:
        check_range("sampling.steps", self.steps, 2, 1000)
        check_range("sampling.cut", self.cut, 1, 16)
        check_range("sampling.crop", self.crop, 0, 1024)


@dataclass(frozen=True)
class DistillationConfig(RunConfig):
    """The distillation of an adaptor.

    Attributes:
        clock, adaptor, sampling, training, optimization, validation: see there.
    """

    __pydantic_config__ = STRICT
    kept_when_resumed: ClassVar[Sequence[str]] = ("clock", "adaptor", "sampling", "training", "optimization", "seed")

    clock: Clock = field(default_factory=Clock)
    adaptor: AdaptorConfig = field(default_factory=AdaptorConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    training: SingleStage = field(default_factory=SingleStage)
    validation: ValidationEvery = field(default_factory=ValidationEvery)

    def __post_init__(self) -> None:
        super().__post_init__()
        if all(self.clock.full_steps(self.sampling.steps)):
            raise UsageError(
                f"clock.period = {self.clock.period}: no step of {self.sampling.steps} is left to an adaptor"
            )

    @property
    def stages(self) -> tuple[SingleStage, ...]:
        """See :class:`scaleflow.training.loop.parts.LoopConfig`."""
        return (self.training,)
