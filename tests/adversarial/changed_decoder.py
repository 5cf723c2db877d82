"""A perceptual decoder that has learned nothing, and shows something else than the fidelity decoder, as a file."""

from __future__ import annotations

from pathlib import Path

import torch

from scaleflow.adversarial.perceptual_weights import serialized_second_synthesis
from scaleflow.adversarial.second_synthesis import LUMA_CHANNELS, SecondSynthesis
from scaleflow.codec.models.capabilities import GivesParts, require_parts
from scaleflow.codec.models.registry import load_model


def changed_synthesis(codec: GivesParts) -> SecondSynthesis:
    """It changes pictures visibly, and heeds what it added to the picture before."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        synthesis = SecondSynthesis(codec)
        with torch.no_grad():
            for transform in (synthesis.key, synthesis.inter):
                last = transform.get_parameter("finish_last.weight")
                last += 0.05 * torch.randn_like(last)
            first = synthesis.inter.get_parameter("finish_first.weight")
            first[:, -LUMA_CHANNELS:] = 0.2 * torch.randn_like(first[:, -LUMA_CHANNELS:])
    return synthesis.eval()


def write_changed_decoder(path: Path, codec_hash: str | None = None) -> Path:
    """Weights that belong to the shipped weights of the default model, or are said to belong to those of this hash."""
    codec = require_parts(load_model())
    path.write_bytes(serialized_second_synthesis(changed_synthesis(codec), codec_hash or codec.weights_hash))
    return path
