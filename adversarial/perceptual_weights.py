"""The weights file of a perceptual decoder: safetensors in float16, with its sizes and the codec it belongs to."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import torch

from scaleflow.adversarial.perceptual_network import PerceptualConfig, PerceptualNetwork
from scaleflow.codec.models.companion_weights import read_companion, serialized_companion
from scaleflow.codec.models.tensor_check import check_tensors
from scaleflow.errors import DataError, ScaleFlowError
from scaleflow.json_dataclass import read_dataclass

WEIGHTS_FORMAT = "scaleflow-perceptual-1"
"""Layout of the file; another value is refused."""

_HASH = re.compile("[0-9A-Za-z]{1,128}")
"""What is said of a hash before it is compared: it is shown in messages."""


def serialized_perceptual_weights(network: PerceptualNetwork, codec_hash: str, training: tuple[str, ...] = ()) -> bytes:
    """The file; ``codec_hash`` names the codec's weights, ``training`` is what is said of its training."""
    sizes = json.dumps(asdict(network.config))
    return serialized_companion(network.state_dict(), WEIGHTS_FORMAT, codec_hash, training, sizes=sizes)


def load_perceptual_network(path: Path) -> tuple[PerceptualNetwork, str]:
    """Inverse of :func:`serialized_perceptual_weights`: the network, and the hash of the codec's weights.

    Raises:
        DataError: there is no such file, it is damaged, or none of these.
    """
    found = read_companion(
        path,
        WEIGHTS_FORMAT,
        "perceptual decoder",
        _HASH,
        missing="there is no such file of a perceptual decoder",
        other="is no safetensors file",
    )
    config = _read_sizes(found.metadata.get("sizes", ""), path)
    with torch.device("meta"):  # nothing is taken for sizes that the file does not fill
        check_tensors(found.tensors, PerceptualNetwork(config).state_dict(), path)
    network = PerceptualNetwork(config)
    network.load_state_dict({key: value.float() for key, value in found.tensors.items()})
    return network.eval(), found.codec_hash


def _read_sizes(text: str, path: Path) -> PerceptualConfig:
    try:
        return read_dataclass(PerceptualConfig, json.loads(text), "sizes")
    except (ValueError, RecursionError, ScaleFlowError) as error:
        raise DataError(f"{path}: names no sizes of a perceptual decoder ({error})") from error
