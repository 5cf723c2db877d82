"""The page that goes with trained weights: what, from what, how, and how well."""

from __future__ import annotations

from dataclasses import dataclass

from scaleflow.training.codec.configuration import TrainingConfig
from scaleflow.training.codec.validation import ValidationPoint


@dataclass(frozen=True)
class StageRecord:
    """A stage as it was: seconds are of all sessions that it took."""

    name: str
    steps: int
    seconds: float
    points: tuple[ValidationPoint, ...] = ()


def model_card(
    config: TrainingConfig,
    data: str,
    parameters: int,
    records: list[StageRecord],
    command: str = "scaleflow train --config config.yaml --out run",
    codec: str | None = None,
) -> str:
    """Markdown.

    Args:
        config: resolved.
        data: one sentence on the clips.
        parameters: of the network.
        records: of the stages done.
        command: that makes the same weights again.
        codec: hash of the codec's weights that these go with, where they are none of a codec.
    """
    beside = "" if codec is None else f" It goes with the codec's weights {codec}, and with no others."
    lines = [
        f"# Model card: {config.model.name}",
        "",
        f"**Model.** `{config.model.name}`, {parameters / 1e6:.2f} million parameters, start: {config.model.start}."
        + beside,
        "",
        f"**Data.** {data}",
        "",
        "**Training.** " + " ".join(f"{r.name}: {r.steps} steps in {r.seconds:.0f} s." for r in records),
        "",
        "```",
        command,
        "```",
        "",
    ]
    rows = [
        f"| {record.name} | {p.clip} | {p.quality:g} | {p.bits_per_pixel:.4f} | {p.psnr:.2f} |"
        for record in records
        for p in record.points
    ]
    if rows:
        head = ["| stage | clip | quality | bpp | PSNR-YUV dB |", "|---|---|---|---|---|"]
        lines += ["**Validation**, from decoded payloads:", "", *head, *rows, ""]
    lines += ["**Configuration.**", "", "```yaml", config.to_yaml().rstrip(), "```", ""]
    return "\n".join(lines)
