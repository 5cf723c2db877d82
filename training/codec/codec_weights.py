"""The codec's weights in a checkpoint, also where discriminators were trained beside it."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from scaleflow.training.loop.checkpoint import final_weights

CODEC = "codec."
"""How the codec's own parameters begin in checkpoints of runs with an adversary."""


def codec_weights(state: dict[str, Any]) -> dict[str, Tensor]:
    """The weights of a checkpoint's codec, averaged where the run averages, under the codec's own names."""
    weights = final_weights(state)
    beside = {name.removeprefix(CODEC): value for name, value in weights.items() if name.startswith(CODEC)}
    return beside or weights
