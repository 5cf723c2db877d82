"""A small perceptual decoder with random weights, as a file."""

from __future__ import annotations

from pathlib import Path

import torch
from scaleflow.adversarial.perceptual_network import PerceptualNetwork, tiny_perceptual

from scaleflow.adversarial.perceptual_weights import serialized_perceptual_weights
from scaleflow.codec.models.registry import WEIGHTS_FOLDER
from scaleflow.codec.models.weights_folder import hash_of_file


def tiny_network() -> PerceptualNetwork:
    """It changes pictures visibly."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = PerceptualNetwork(tiny_perceptual())
        with torch.no_grad():
            network.last.weight.normal_(0, 0.05)
    return network


def write_tiny_decoder(path: Path, codec_hash: str | None = None) -> Path:
    """Weights that belong to the shipped weights of the default model, or to those of this hash."""
    belongs_to = codec_hash or hash_of_file(WEIGHTS_FOLDER / "default.safetensors")
    assert belongs_to is not None
    path.write_bytes(serialized_perceptual_weights(tiny_network(), belongs_to))
    return path
