"""Configuration of codec training: dataclasses, checked when made. See
:mod:`scaleflow.training.codec.configuration_file` for YAML.

Everything is counted in steps, never in seconds, so that a run that was stopped and resumed is the run that was not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from scaleflow.adversarial.loss_kinds import AdversarialLoss
from scaleflow.codec.distortion import DISTORTION_OVER_STEP
from scaleflow.errors import UsageError
from scaleflow.quality_range import HIGHEST_QUALITY, is_quality
from scaleflow.training.codec.task_configuration import TaskConfig
from scaleflow.training.data.configuration import DataConfig
from scaleflow.training.loop.configuration import (
    STRICT,
    LoopOptimization,
    RunConfig,
    Schedule,
    check_range,
    learning_rate_factor,
)


@dataclass(frozen=True)
class LossConfig:
    """Rate plus distortion.

    Attributes:
        distortion: ``mse`` or ``ms-ssim`` (1 - MS-SSIM of luma, or of RGB).
        weights: of Y, Cb and Cr in the squared error; (1, 1, 1) weighs samples alike, (6, 1, 1) / 8 planes as PSNR-YUV
            does. Ignored by models that work in RGB.
        chroma: ``quality`` weighs chroma beside luma as PSNR-YUV asks for at each quality, see
            :mod:`scaleflow.training.codec.losses`; ``fixed`` as ``weights`` say. Of the recurrent model.
        distortion_over_step: slope of rate over distortion: squared error that one bit is worth, in squared
            quantization steps. Of models with one rate, see ``model.distortion_weight``.
        distortion_share: what the distortion is multiplied by in the loss, 0..1: less leaves more to the loss of a
            task.
        low_rate_emphasis: power of the quantization step by which losses are weighed; at 0 high rates drown low ones.
        prediction: weight of the error of the prediction before the residual is added.
    """

    __pydantic_config__ = STRICT

    distortion: Literal["mse", "ms-ssim"] = "mse"
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
    chroma: Literal["fixed", "quality"] = "fixed"
    distortion_over_step: float = DISTORTION_OVER_STEP
    distortion_share: float = 1.0
    low_rate_emphasis: float = 0.45
    prediction: float = 0.1

    def __post_init__(self) -> None:
        if min(self.weights) < 0 or not sum(self.weights) > 0:
            raise UsageError(f"loss.weights = {self.weights}: none may be negative, and one must be positive")
        check_range("loss.distortion_over_step", self.distortion_over_step, 1e-4, 100)
        check_range("loss.distortion_share", self.distortion_share, 0, 1)
        check_range("loss.low_rate_emphasis", self.low_rate_emphasis, 0, 2)
        check_range("loss.prediction", self.prediction, 0, 100)


@dataclass(frozen=True)
class StageConfig:
    """One stage of the recipe.

    Attributes:
        name: of the stage, also of its checkpoints.
        trains: ``intra``, ``inter`` (motion and residual; intra frozen), ``all``, or ``encoder`` (what the decoder
            does not run, of all parts, so that decoders of the weights that the run starts from decode what it
            encodes); of ``regions``, ``steering`` (the implicit variant) or ``widths`` (learned latent scaling); of
            ``perceptual``, ``all``.
        adversary: what the weights of the discriminator's losses are multiplied by; at 0 none is trained. Of runs with
            an ``adversarial`` part.
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
    trains: Literal["intra", "inter", "all", "encoder", "steering", "widths"]
    steps: int
    batch: int = 8
    micro_batch: int = 0
    unroll: tuple[int, int] = (1, 1)
    learning_rate: float = 1e-3
    schedule: Schedule = "cosine"
    warm_up: int = 150
    quality: tuple[float, float] = (0.0, HIGHEST_QUALITY)
    gradients: Literal["picture", "clip"] = "clip"
    adversary: float = 1.0

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise UsageError(f"stage name {self.name!r}: use letters, digits and underscores")
        where = f"stages.{self.name}"
        check_range(f"{where}.steps", self.steps, 1, 10**9)
        check_range(f"{where}.batch", self.batch, 1, 10**6)
        check_range(f"{where}.micro_batch", self.micro_batch, 0, self.batch)
        check_range(f"{where}.learning_rate", self.learning_rate, 1e-9, 1)
        check_range(f"{where}.warm_up", self.warm_up, 0, 10**9)
        check_range(f"{where}.adversary", self.adversary, 0, 100)
        least = 1 if self.trains == "intra" else 2
        if not least <= self.unroll[0] <= self.unroll[1] <= 100:
            raise UsageError(f"{where}.unroll = {self.unroll}: rising numbers of pictures from {least} on are needed")
        if not (all(map(is_quality, self.quality)) and self.quality[0] <= self.quality[1]):
            raise UsageError(f"{where}.quality = {self.quality}: two rising numbers within 0..63 are needed")

    @property
    def teaches_intra(self) -> bool:
        """Whether pictures that stand alone count in the loss."""
        return self.trains in ("intra", "all", "encoder")

    def frames_at(self, step: int) -> int:
        """Pictures of the clips of a step."""
        first, last = self.unroll
        return min(last, first + (last - first + 1) * step // self.steps)

    def learning_rate_at(self, step: int) -> float:
        """Of a step, for parameters that learn at the plain rate."""
        return self.learning_rate * learning_rate_factor(self.schedule, step, self.steps, self.warm_up)


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
        name: ``default``, ``recurrent``, ``ssf2020``, or what stands beside a ``default`` codec: ``regions``, networks
            for regions of interest; ``perceptual``, a decoder for perception.
        start: ``transform`` (principal components, measured deviations), ``random``, ``default`` (the shipped
            weights), or a checkpoint or weights file to continue from; of ``regions`` and ``perceptual``, the codec's
            weights.
        guided_motion: give the motion encoder block-matched vectors; without, it must find motion alone.
        intra_latents, residual_latents, motion_latents: channels, of ``default``.
        variable_rate: give ``ssf2020`` gains, so that one model serves every rate, as ``default`` always does.
        distortion_weight: lambda of models with one rate: loss = lambda * 255^2 * MSE + bits per pixel.
    """

    __pydantic_config__ = STRICT

    name: Literal["default", "recurrent", "ssf2020", "regions", "perceptual"] = "default"
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
class AdversarialConfig:
    """What is added to the distortion so that decoded pictures look like originals.

    Attributes:
        weight: of the adversarial loss of the decoder; 0 for none, and no discriminator.
        loss: ``non-saturating``, ``hinge``, ``least-squares`` or ``relativistic``, see
            :mod:`scaleflow.adversarial.losses`.
        discriminators: named ones, see :mod:`scaleflow.adversarial.discriminators`: ``small-patch``, ``small-clip``,
            ``patch``, ``clip``; they judge together.
        feature_matching: weight of the difference of the discriminators' features.
        lpips: weight of LPIPS.
        lpips_backbone: AlexNet's weights; empty for those in torchvision's cache.
        flicker: weight of changes from picture to picture that the original does not have, where the flow is decoded.
        squared_error: weight of the squared error of luma, more where the original is smooth, see
            :func:`scaleflow.adversarial.visible_error.visible_error`. Of ``perceptual``, whose rate is given.
        ramp: passes (steps, times the micro-batches of a step) over which the weight rises from 0 at the start of each
            stage that has an adversary.
        learning_rate: of the discriminators, as a multiple of the stage's.
        bits_per_pixel: rate at which a codec is held, by the price of a bit; 0 leaves the price as it is.
    """

    __pydantic_config__ = STRICT

    weight: float = 0.0
    loss: AdversarialLoss = "hinge"
    discriminators: tuple[Literal["small-patch", "small-clip", "patch", "clip"], ...] = ("small-patch", "small-clip")
    feature_matching: float = 0.0
    lpips: float = 1.0
    lpips_backbone: str = ""
    flicker: float = 0.0
    squared_error: float = 2e-3
    ramp: int = 200
    learning_rate: float = 1.0
    bits_per_pixel: float = 0.0

    def __post_init__(self) -> None:
        for name in ("weight", "feature_matching", "lpips", "flicker", "squared_error"):
            check_range(f"adversarial.{name}", getattr(self, name), 0, 1e4)
        check_range("adversarial.ramp", self.ramp, 0, 10**9)
        check_range("adversarial.learning_rate", self.learning_rate, 1e-3, 1e3)
        check_range("adversarial.bits_per_pixel", self.bits_per_pixel, 0, 100)
        if self.weight and not self.discriminators:
            raise UsageError("adversarial.discriminators is empty, but adversarial.weight is not 0: name one at least")

    def weight_at(self, stage: StageConfig, step: int) -> float:
        """Of the adversarial loss at a step of a stage."""
        full = self.weight * stage.adversary
        return full * min(1.0, (step + 1) / self.ramp) if self.ramp else full


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
            check_range("validation.qualities", quality, 0, HIGHEST_QUALITY)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(RunConfig):
    """A whole run.

    Attributes:
        data, model, loss, adversarial, task, optimization, validation: see there.
        stages: in their order.
    """

    __pydantic_config__ = STRICT
    kept_when_resumed: ClassVar[Sequence[str]] = ("model", "adversarial", "task", "stages", "optimization", "seed")

    stages: tuple[StageConfig, ...]
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    adversarial: AdversarialConfig | None = None
    task: TaskConfig | None = None
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stages]
        if not names or len(set(names)) != len(names):
            raise UsageError(f"stages = {names}: at least one is needed, each with a name of its own")
        if self.model.name == "ssf2020" and self.data.crop % 128:
            raise UsageError(f"data.crop = {self.data.crop}: ssf2020 takes multiples of 128")
        if self.model.name == "perceptual" and self.adversarial is None:
            raise UsageError("model.name = perceptual: set adversarial, which holds the losses of such a decoder")
        if self.model.name == "regions" and self.adversarial is not None:
            raise UsageError("adversarial: networks for regions are trained without it")
        if self.model.name == "perceptual" and self.validation.clips:
            raise UsageError(
                "validation.clips: perceptual decoders are measured on what was exported, with scaleflow rd"
            )
        of_regions = self.model.name == "regions"
        for stage in self.stages:
            if (stage.trains in ("steering", "widths")) != of_regions:
                raise UsageError(
                    f"stages.{stage.name}.trains = {stage.trains}: model {self.model.name} has no such part"
                )
        if of_regions and self.data.masks == "none":
            raise UsageError("data.masks = none: regions are trained with masks, such as data.masks=mixed")
        if of_regions and self.validation.clips:
            raise UsageError("validation.clips: regions are measured on what was exported, with scaleflow rd and masks")
        self._check_task()
        self._check_encoder()
        super().__post_init__()

    @property
    def keeps_decoder(self) -> bool:
        """Whether decoders of the weights that the run starts from decode what it encodes."""
        return all(stage.trains == "encoder" for stage in self.stages)

    def _check_task(self) -> None:
        if self.task is None:
            return
        if self.model.name in ("regions", "perceptual"):
            raise UsageError(f"task: model {self.model.name} is trained without it: use default, recurrent or ssf2020")
        if self.adversarial is not None:
            raise UsageError("task and adversarial do not go together: leave one of them out")
        if self.task.distance == "labels" and self.data.masks != "annotations":
            raise UsageError(
                "task.distance = labels: clips have none: use data.kind=davis data.masks=annotations, or the distance "
                "outputs or features, which take none"
            )

    def _check_encoder(self) -> None:
        for stage in self.stages:
            if stage.trains == "encoder" and self.model.name not in ("default", "recurrent"):
                raise UsageError(
                    f"stages.{stage.name}.trains = encoder: streams of {self.model.name} name all of its weights, also "
                    "those of the encoder: use all"
                )
        start = self.model.start
        if self.keeps_decoder and start != "default" and not start.endswith(".safetensors"):
            raise UsageError(
                f"model.start = {start}: where encoders alone are trained, it is what decoders have: default, or a "
                ".safetensors file of scaleflow export"
            )
