"""Another encoder for the weights of a codec, in a file of its own.

Analysis transforms and hyper-analyses run in the encoder only: no table and no decoded picture comes from them, so they
may be trained further, for any aim, while streams stay those of the codec's weights. Such a file holds these networks
alone, and names the weights whose decoders decode what they encode.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from scaleflow.codec.models.companion_weights import read_companion, serialized_companion
from scaleflow.codec.models.tensor_check import check_tensors

ENCODER_FORMAT = "scaleflow-encoder-1"
"""Layout of the file; another value is refused."""

_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class EncoderWeights:
    """What such a file holds.

    Attributes:
        tensors: by their names in the codec's network.
        codec_hash: of the weights that the encoder belongs to, as streams carry it.
        path: of the file.
    """

    tensors: Mapping[str, Tensor]
    codec_hash: str
    path: Path


def is_of_the_encoder(name: str) -> bool:
    """Whether a parameter of a network runs in the encoder only: of the default and of the recurrent model."""
    return any("analysis" in part for part in name.split("."))


def encoder_tensors(network: nn.Module) -> dict[str, Tensor]:
    """What of a network runs in the encoder only, by name."""
    return {name: value for name, value in network.state_dict().items() if is_of_the_encoder(name)}


def serialized_encoder(network: nn.Module, codec_hash: str, training: tuple[str, ...] = ()) -> bytes:
    """The file, in float16; ``codec_hash`` names the codec's weights, ``training`` is what is said of its training."""
    return serialized_companion(encoder_tensors(network), ENCODER_FORMAT, codec_hash, training)


def read_encoder(path: Path) -> EncoderWeights:
    """Inverse of :func:`serialized_encoder`.

    Raises:
        DataError: there is no such file, it is damaged, or none of these.
    """
    found = read_companion(
        path, ENCODER_FORMAT, "encoder", missing="no such weights file", other="not a safetensors file", hashes=_HASH
    )
    return EncoderWeights(found.tensors, found.codec_hash, path)


def give_encoder(network: nn.Module, encoder: EncoderWeights) -> None:
    """Put an encoder into the network of the codec that it belongs to.

    Raises:
        DataError: its tensors are not those of this network.
    """
    check_tensors(encoder.tensors, encoder_tensors(network), encoder.path)
    network.load_state_dict(dict(encoder.tensors), strict=False)
