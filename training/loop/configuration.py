"""What configurations of all kinds of training share: dataclasses, checked when made. See
:mod:`scaleflow.training.loop.configuration_file` for YAML."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import yaml
from pydantic import ConfigDict

from scaleflow.errors import UsageError

STRICT = ConfigDict(extra="forbid")

Schedule = Literal["cosine", "step", "flat"]


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


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raises :class:`UsageError` where a value is outside."""
    if not low <= value <= high:
        shown = "a number without measure" if abs(value) >= 1e300 else f"{value:g}"
        raise UsageError(f"{name} = {shown} is outside {low:g}..{high:g}")


def plain_values(value: Any) -> Any:
    """Nested dictionaries and lists, as YAML and checkpoints hold them."""
    if isinstance(value, dict):
        return {key: plain_values(inner) for key, inner in value.items()}
    return [plain_values(inner) for inner in value] if isinstance(value, tuple | list) else value
