"""The pages that go with the weights of restoration models and adaptors."""

from __future__ import annotations

from torch import nn

from scaleflow.training.loop.single_stage import SingleStage
from scaleflow.training.restoration.configuration import DiffusionTrainingConfig, DistillationConfig


def restoration_card(
    config: DiffusionTrainingConfig, network: nn.Module, pairs: int, seconds: float, measures: dict[str, float]
) -> str:
    """Markdown.

    Args:
        config: resolved.
        network: as it was trained.
        pairs: original and decoded, held-out ones included.
        seconds: of training, all sessions.
        measures: on held-out pairs.
    """
    data = config.data
    return "\n".join(
        [
            "# Model card: restoration of decoded pictures by diffusion",
            "",
            f"**Network.** {_millions(network)} million parameters, prediction: {config.noise.prediction}.",
            "",
            f"**Data.** {pairs} pairs of {data.patch}x{data.patch}, coded at qualities {data.quality[0]:g} to "
            f"{data.quality[1]:g}. The licence of the videos holds for the weights as well.",
            "",
            _training(config.training, seconds),
            "",
            f"**Validation.** Loss on {data.held_out * data.frames} held-out pairs: {measures['loss']:.4f}.",
            "",
            *_configuration(config.to_yaml()),
        ]
    )


def adaptor_card(config: DistillationConfig, adaptor: nn.Module, seconds: float) -> str:
    """Markdown, of an adaptor."""
    return "\n".join(
        [
            "# Model card: adaptor of a clocked UNet",
            "",
            f"**Network.** {_millions(adaptor)} million parameters.",
            "",
            f"**Made for** trajectories of {config.sampling.steps} steps, clock {config.clock}.",
            "",
            _training(config.training, seconds),
            "",
            *_configuration(config.to_yaml()),
        ]
    )


def _millions(network: nn.Module) -> str:
    return f"{sum(parameter.numel() for parameter in network.parameters()) / 1e6:.3f}"


def _training(stage: SingleStage, seconds: float) -> str:
    return f"**Training.** {stage.steps} steps of {stage.batch} in {seconds:.0f} s."


def _configuration(text: str) -> list[str]:
    return ["**Configuration.**", "", "```yaml", text.rstrip(), "```", ""]
