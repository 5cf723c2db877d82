"""The weights file of a perceptual decoder: safetensors in float16, with its sizes and the codec it belongs to."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save as serialized

from scaleflow.adversarial.perceptual_network import PerceptualConfig, PerceptualNetwork
from scaleflow.errors import DataError, UsageError
from scaleflow.safetensors_file import opened_safetensors

WEIGHTS_FORMAT = "scaleflow-perceptual-1"
"""Layout of the file; another value is refused."""


def serialized_perceptual_weights(network: PerceptualNetwork, codec_hash: str, training: tuple[str, ...] = ()) -> bytes:
    """The file; ``codec_hash`` names the codec's weights, ``training`` is what is said of its training."""
    tensors = {key: value.detach().cpu().half().contiguous() for key, value in network.state_dict().items()}
    metadata = {
        "format": WEIGHTS_FORMAT,
        "codec": codec_hash,
        "sizes": json.dumps(asdict(network.config)),
        "training": json.dumps(training),
    }
    return serialized(tensors, metadata)


def load_perceptual_network(path: Path) -> tuple[PerceptualNetwork, str]:
    """Inverse of :func:`serialized_perceptual_weights`: the network, and the hash of the codec's weights.

    Raises:
        DataError: there is no such file, it is damaged, or none of these.
    """
    with opened_safetensors(path, "there is no such file of a perceptual decoder", "is no safetensors file") as file:
        metadata = file.metadata() or {}
        tensors = {key: file.get_tensor(key).float() for key in file.keys()}
    if metadata.get("format") != WEIGHTS_FORMAT:
        raise DataError(f"{path}: holds {metadata.get('format')!r}, no perceptual decoder ({WEIGHTS_FORMAT!r})")
    try:
        network = PerceptualNetwork(PerceptualConfig(**json.loads(metadata["sizes"])))
        network.load_state_dict(tensors)
        return network.eval(), metadata["codec"]
    except (KeyError, TypeError, ValueError, RuntimeError, UsageError) as error:
        raise DataError(f"{path}: these weights do not fit: {str(error).splitlines()[0]}") from error
