"""The weights file of a perceptual decoder: safetensors in float16, with the hash of the codec it belongs to."""

from __future__ import annotations

from pathlib import Path

from scaleflow.adversarial.second_synthesis import SecondSynthesis
from scaleflow.codec.models.capabilities import GivesParts
from scaleflow.codec.models.companion_weights import read_companion, serialized_companion
from scaleflow.codec.models.tensor_check import check_tensors
from scaleflow.errors import DataError

WEIGHTS_FORMAT = "scaleflow-perceptual-2"
"""Layout of the file; another value is refused."""


def serialized_second_synthesis(synthesis: SecondSynthesis, codec_hash: str, training: tuple[str, ...] = ()) -> bytes:
    """The file; ``codec_hash`` names the codec's weights, ``training`` is what is said of its training."""
    return serialized_companion(synthesis.state_dict(), WEIGHTS_FORMAT, codec_hash, training)


def load_second_synthesis(path: Path, codec: GivesParts) -> SecondSynthesis:
    """Inverse of :func:`serialized_second_synthesis`, on the CPU.

    Args:
        codec: that it is to show the latents of.

    Raises:
        DataError: there is no such file, it is damaged, none of these, or belongs to other weights of a codec.
    """
    found = read_companion(
        path,
        WEIGHTS_FORMAT,
        "perceptual decoder",
        missing="there is no such file of a perceptual decoder",
        other="is no safetensors file",
    )
    if found.codec_hash != codec.weights_hash:
        raise DataError(
            f"{path}: this perceptual decoder belongs to weights {found.codec_hash} of a codec, and "
            f"{codec.weights_hash} decode here: name the file that belongs to these as decoder_weights, or decode for "
            f"fidelity",
            fields=("decoder_weights",),
        )
    synthesis = SecondSynthesis(codec).cpu()
    check_tensors(found.tensors, synthesis.state_dict(), path)
    synthesis.load_state_dict({key: value.float() for key, value in found.tensors.items()})
    return synthesis.eval()
