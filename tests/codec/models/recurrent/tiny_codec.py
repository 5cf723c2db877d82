"""The smallest recurrent codec, untrained but not without effect."""

from __future__ import annotations

from pathlib import Path

import torch

from scaleflow.codec.models.recurrent.codec import RecurrentCodec
from scaleflow.codec.models.recurrent.config import RecurrentConfig
from scaleflow.codec.models.recurrent.weights_file import load_recurrent, serialized_weights


def tiny_recurrent(path: Path) -> RecurrentCodec:
    """Written to a file as an export writes it, and read from there."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        codec = RecurrentCodec(RecurrentConfig(12, 8, 8, 8, 24))
        with torch.no_grad():
            for parameter in codec.network.parameters():
                if not parameter.any():  # every layer that starts at zero
                    parameter.normal_(0, 0.01)
    codec.freeze()
    path.write_bytes(serialized_weights(codec))
    return load_recurrent(path)
