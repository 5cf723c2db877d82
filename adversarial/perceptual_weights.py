"""The weights file of a perceptual decoder: safetensors in float16, with its sizes and the codec it belongs to."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save as serialized

from scaleflow.adversarial.perceptual_network import PerceptualConfig, PerceptualNetwork
from scaleflow.codec.models.tensor_check import check_tensors
from scaleflow.errors import DataError, ScaleFlowError
from scaleflow.json_dataclass import read_dataclass
from scaleflow.safetensors_file import opened_safetensors

WEIGHTS_FORMAT = "scaleflow-perceptual-1"
"""Layout of the file; another value is refused."""

_HASH = re.compile("[0-9A-Za-z]{1,128}")
"""What is said of a hash before it is compared: it is shown in messages."""


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
        form = metadata.get("format", "")
        if form != WEIGHTS_FORMAT:
            raise DataError(f"{path}: holds {form[:40]!r}, no perceptual decoder ({WEIGHTS_FORMAT!r})")
        tensors = {key: file.get_tensor(key) for key in file.keys()}
    belongs_to = metadata.get("codec", "")
    if not _HASH.fullmatch(belongs_to):
        raise DataError(f"{path}: does not name the codec's weights that it belongs to: codec is {belongs_to[:40]!r}")
    config = _read_sizes(metadata.get("sizes", ""), path)
    with torch.device("meta"):  # nothing is taken for sizes that the file does not fill
        check_tensors(tensors, PerceptualNetwork(config).state_dict(), path)
    network = PerceptualNetwork(config)
    network.load_state_dict({key: value.float() for key, value in tensors.items()})
    return network.eval(), belongs_to


def _read_sizes(text: str, path: Path) -> PerceptualConfig:
    try:
        return read_dataclass(PerceptualConfig, json.loads(text), "sizes")
    except (ValueError, RecursionError, ScaleFlowError) as error:
        raise DataError(f"{path}: names no sizes of a perceptual decoder ({error})") from error
