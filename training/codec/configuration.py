"""Configuration of a training run: dataclasses, checked when made. See
:mod:`scaleflow.training.loop.configuration_file` for YAML.

Everything is counted in steps, never in seconds, so that a run that was stopped and resumed is the run that was not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

import yaml
from pydantic import ConfigDict

from scaleflow.codec.distortion import DISTORTION_OVER_STEP
from scaleflow.errors import UsageError

STRICT = ConfigDict(extra="forbid")

Schedule = Literal["cosine", "step", "flat"]


SourceKind = Literal["videos", "vimeo", "davis", "images", "photographs", "synthetic", "packed", "pool", "shards"]


DataKind = Literal[
    "videos", "vimeo", "davis", "images", "photographs", "synthetic", "packed", "pool", "shards", "mixture"
]


@dataclass(frozen=True)
class DataPart:
    """One source of a mixture; ``share`` of its clips, in any unit."""

    __pydantic_config__ = STRICT

    kind: SourceKind
    path: str
    share: float = 1.0

    def __post_init__(self) -> None:
        check_range("data.parts.share", self.share, 1e-6, 1e6)


@dataclass(frozen=True)
class DataConfig:
    """Where clips come from.

    Attributes:
        kind: ``videos`` (a folder of any video), ``vimeo`` (septuplets or triplets as their archives unpack),
            ``davis`` (pictures with masks, as DAVIS unpacks), ``images`` and ``photographs`` (for the intra stage
            only), ``synthetic`` (clips rendered from photographs), ``packed`` (a cache of crops), ``pool`` (packed
            folders that another process renews), ``shards`` (tar files) or ``mixture``.
        path: the folder.
        parts: sources of a mixture.
        crop: side of the square crops in samples, a multiple of 64.
        stride: largest distance in time between successive pictures of a clip.
        flip, reverse: mirror crops, and play clips backwards, at random.
        halve: reduce compressed sources of 360 lines and more by two.
        masks: regions of interest that come with the clips, for models that heed them: random ones, or
            ``annotations``, those that DAVIS has.
        workers: processes that load; 0 loads between the steps.
    """

    __pydantic_config__ = STRICT

    path: str = ""
    kind: DataKind = "videos"
    parts: tuple[DataPart, ...] = ()
    crop: int = 192
    stride: int = 3
    flip: bool = True
    reverse: bool = True
    halve: bool = True
    masks: Literal["none", "perlin", "boxes", "mixed", "annotations"] = "none"
    workers: int = 1

    def __post_init__(self) -> None:
        check_range("data.crop", self.crop, 64, 4096)
        if self.crop % 64:
            raise UsageError(f"data.crop = {self.crop} is no multiple of 64: use {self.crop // 64 * 64 or 64}")
        if (self.kind == "mixture") != bool(self.parts):
            raise UsageError("data.parts: a mixture has parts, and nothing else has")
        check_range("data.stride", self.stride, 1, 16)
        check_range("data.workers", self.workers, 0, 256)
        if self.masks == "annotations" and self.kind != "davis":
            raise UsageError(
                f"data.masks = annotations: data.kind = {self.kind} has none; use data.kind=davis, or random masks "
                "such as data.masks=mixed"
            )


@dataclass(frozen=True)
class LossConfig:
    """Rate plus distortion.

    Attributes:
        distortion: ``mse`` or ``ms-ssim`` (1 - MS-SSIM of luma, or of RGB).
        weights: of Y, Cb and Cr in the squared error; (1, 1, 1) weighs samples alike, (6, 1, 1) / 8 planes as PSNR-YUV
            does. Ignored by models that work in RGB.
        chroma: ``quality`` weighs chroma beside luma as PSNR-YUV asks for at each quality, see
            :mod:`scaleflow.training.losses`; ``fixed`` as ``weights`` say. Of the recurrent model.
        distortion_over_step: slope of rate over distortion: squared error that one bit is worth, in squared
            quantization steps. Of models with one rate, see ``model.distortion_weight``.
        low_rate_emphasis: power of the quantization step by which losses are weighed; at 0 high rates drown low ones.
        prediction: weight of the error of the prediction before the residual is added.
    """

    __pydantic_config__ = STRICT

    distortion: Literal["mse", "ms-ssim"] = "mse"
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
    chroma: Literal["fixed", "quality"] = "fixed"
    distortion_over_step: float = DISTORTION_OVER_STEP
    low_rate_emphasis: float = 0.45
    prediction: float = 0.1

    def __post_init__(self) -> None:
        if min(self.weights) < 0 or not sum(self.weights) > 0:
            raise UsageError(f"loss.weights = {self.weights}: none may be negative, and one must be positive")
        check_range("loss.distortion_over_step", self.distortion_over_step, 1e-4, 100)
        check_range("loss.low_rate_emphasis", self.low_rate_emphasis, 0, 2)
        check_range("loss.prediction", self.prediction, 0, 100)


@dataclass(frozen=True)
class StageConfig:
    """One stage of the recipe.

    Attributes:
        name: of the stage, also of its checkpoints.
        trains: ``intra``, ``inter`` (motion and residual; intra frozen) or ``all``; of ``regions``, ``steering`` (the
            implicit variant) or ``widths`` (learned latent scaling).
        steps: optimizer steps.
        batch: clips of a step, all processes together.
        micro_batch: clips that go through the networks together; 0 for all that a process has. Where it is set, the
            result does not depend on the number of processes.
        unroll: pictures of a clip, the first being intra; two numbers grow from the first to the second over the stage.
        learning_rate: at its highest, after warm-up.
        schedule: ``cosine`` falls to 2 % of it, ``step`` divides it by ten at 80 % of the steps, ``flat`` falls
            linearly to 2 % over the last fifth.
        warm_up: steps.
        quality: lowest and highest of the random qualities, for models with variable rate.
        gradients: ``clip``, a picture also learns from those that are predicted from it; ``picture``, its samples learn
            from itself only, and its memory from the next: that takes less time. Of the recurrent model.
    """

    __pydantic_config__ = STRICT

    name: str
    trains: Literal["intra", "inter", "all", "steering", "widths"]
    steps: int
    batch: int = 8
    micro_batch: int = 0
    unroll: tuple[int, int] = (1, 1)
    learning_rate: float = 1e-3
    schedule: Schedule = "cosine"
    warm_up: int = 150
    quality: tuple[float, float] = (0.0, 63.0)
    gradients: Literal["picture", "clip"] = "clip"

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise UsageError(f"stage name {self.name!r}: use letters, digits and underscores")
        where = f"stages.{self.name}"
        check_range(f"{where}.steps", self.steps, 1, 10**9)
        check_range(f"{where}.batch", self.batch, 1, 10**6)
        check_range(f"{where}.micro_batch", self.micro_batch, 0, self.batch)
        check_range(f"{where}.learning_rate", self.learning_rate, 1e-9, 1)
        check_range(f"{where}.warm_up", self.warm_up, 0, 10**9)
        least = 1 if self.trains == "intra" else 2
        if not least <= self.unroll[0] <= self.unroll[1] <= 100:
            raise UsageError(f"{where}.unroll = {self.unroll}: rising numbers of pictures from {least} on are needed")
        if not 0 <= self.quality[0] <= self.quality[1] <= 63:
            raise UsageError(f"{where}.quality = {self.quality}: two rising numbers within 0..63 are needed")

    def frames_at(self, step: int) -> int:
        """Pictures of the clips of a step."""
        first, last = self.unroll
        return min(last, first + (last - first + 1) * step // self.steps)

    def learning_rate_at(self, step: int) -> float:
        """Of a step, for parameters that learn at the plain rate."""
        return self.learning_rate * learning_rate_factor(self.schedule, step, self.steps, self.warm_up)


def learning_rate_factor(schedule: Schedule, step: int, steps: int, warm_up: int) -> float:
    """What the highest learning rate is multiplied by.

    ``cosine`` falls to 2 %, ``step`` to a tenth at 80 %, ``flat`` to 2 % over the last fifth.
    """
    warm = min(1.0, (step + 1) / warm_up) if warm_up else 1.0
    progress = step / steps
    if schedule == "step":
        return warm * (1.0 if progress < 0.8 else 0.1)
    if schedule == "flat":
        return warm * max(0.02, min(1.0, 5 * (1 - progress)))
    return warm * max(0.02, 0.5 * (1 + math.cos(math.pi * progress)))


@dataclass(frozen=True)
class LoopOptimization:
    """What all stages share, whatever is trained.

    Attributes:
        betas: of Adam.
        clip_norm: largest norm of the gradient.
        average: decay of the exponential moving average that is validated and exported.
        precision: of convolutions; latents, likelihoods, warp and loss are in float32 always. ``auto`` is bf16 where
            the device computes in it, see :mod:`scaleflow.training.loop.precision`; elsewhere that is slower than fp32.
        most_skipped: successive steps without a finite gradient after which the run stops.
    """

    __pydantic_config__ = STRICT

    betas: tuple[float, float] = (0.9, 0.98)
    clip_norm: float = 1.0
    average: float = 0.999
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    most_skipped: int = 20

    def __post_init__(self) -> None:
        for beta in self.betas:
            check_range("optimization.betas", beta, 0, 0.99999)
        check_range("optimization.clip_norm", self.clip_norm, 1e-6, 1e6)
        check_range("optimization.average", self.average, 0, 0.999999)
        check_range("optimization.most_skipped", self.most_skipped, 1, 10**6)


@dataclass(frozen=True)
class OptimizationConfig(LoopOptimization):
    """That of codecs.

    Attributes:
        prior_rate: how much faster priors and gains learn: they have few, well-conditioned parameters.
    """

    prior_rate: float = 2.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("optimization.prior_rate", self.prior_rate, 1e-3, 1e3)


@dataclass(frozen=True)
class ModelConfig:
    """What is trained.

    Attributes:
        name: ``default``, ``recurrent``, ``ssf2020``, or ``regions``: networks for regions of interest, beside a
            ``default`` codec.
        start: ``transform`` (principal components, measured deviations), ``random``, ``default`` (the shipped
            weights), or a checkpoint or weights file to continue from; of ``regions``, the codec's weights.
        guided_motion: give the motion encoder block-matched vectors; without, it must find motion alone.
        intra_latents, residual_latents, motion_latents: channels, of ``default``.
        variable_rate: give ``ssf2020`` gains, so that one model serves every rate, as ``default`` always does.
        distortion_weight: lambda of models with one rate: loss = lambda * 255^2 * MSE + bits per pixel.
    """

    __pydantic_config__ = STRICT

    name: Literal["default", "recurrent", "ssf2020", "regions"] = "default"
    start: str = "transform"
    guided_motion: bool = True
    intra_latents: int = 256
    residual_latents: int = 256
    motion_latents: int = 32
    variable_rate: bool = False
    distortion_weight: float = 0.0067

    def __post_init__(self) -> None:
        check_range("model.distortion_weight", self.distortion_weight, 1e-6, 10)


@dataclass(frozen=True)
class ValidationConfig:
    """Rate-distortion with the real bitstream.

    Attributes:
        clips: videos, not of the training data.
        every: steps; 0 only at the end of stages.
        frames: pictures of each clip.
        qualities: for models with variable rate.
    """

    __pydantic_config__ = STRICT

    clips: tuple[str, ...] = ()
    every: int = 0
    frames: int = 8
    qualities: tuple[float, ...] = (4.0, 20.0, 36.0, 52.0)

    def __post_init__(self) -> None:
        check_range("validation.every", self.every, 0, 10**9)
        check_range("validation.frames", self.frames, 1, 10**6)
        for quality in self.qualities:
            check_range("validation.qualities", quality, 0, 63)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What configurations of whole runs share.

    Attributes:
        seed: of everything random.
        checkpoint_every, log_every: steps.
        optimization: see there.
    """

    seed: int = 0
    checkpoint_every: int = 500
    log_every: int = 50
    optimization: LoopOptimization = field(default_factory=LoopOptimization)

    def __post_init__(self) -> None:
        check_range("seed", self.seed, 0, 2**62)
        check_range("checkpoint_every", self.checkpoint_every, 1, 10**9)
        check_range("log_every", self.log_every, 1, 10**9)

    def to_mapping(self) -> dict[str, Any]:
        """Nested dictionaries and lists; :mod:`scaleflow.training.loop.configuration_file` takes them back."""
        return dict(plain_values(asdict(self)))

    def to_yaml(self) -> str:
        """As a YAML file."""
        return yaml.safe_dump(self.to_mapping(), sort_keys=False)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(RunConfig):
    """A whole run.

    Attributes:
        data, model, loss, optimization, validation: see there.
        stages: in their order.
    """

    __pydantic_config__ = STRICT
    kept_when_resumed: ClassVar[Sequence[str]] = ("model", "stages", "optimization", "seed")

    stages: tuple[StageConfig, ...]
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stages]
        if not names or len(set(names)) != len(names):
            raise UsageError(f"stages = {names}: at least one is needed, each with a name of its own")
        if self.model.name == "ssf2020" and self.data.crop % 128:
            raise UsageError(f"data.crop = {self.data.crop}: ssf2020 takes multiples of 128")
        of_regions = self.model.name == "regions"
        for stage in self.stages:
            if (stage.trains in ("steering", "widths")) != of_regions:
                raise UsageError(
                    f"stages.{stage.name}.trains = {stage.trains}: model {self.model.name} has no such part"
                )
        if of_regions and self.data.masks == "none":
            raise UsageError("data.masks = none: regions are trained with masks, such as data.masks=mixed")
        if of_regions and self.validation.clips:
            raise UsageError("validation.clips: regions are measured on what was exported, with scaleflow rd --roi")
        super().__post_init__()


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raises :class:`UsageError` where a value is outside."""
    if not low <= value <= high:
        raise UsageError(f"{name} = {value:g} is outside {low:g}..{high:g}")


def plain_values(value: Any) -> Any:
    """Nested dictionaries and lists, as YAML and checkpoints hold them."""
    if isinstance(value, dict):
        return {key: plain_values(inner) for key, inner in value.items()}
    return [plain_values(inner) for inner in value] if isinstance(value, tuple | list) else value
