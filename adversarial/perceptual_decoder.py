"""Shows decoded pictures as the perceptual network finishes them; what the codec predicts from stays as it is."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from scaleflow.adversarial.perceptual_network import PerceptualNetwork
from scaleflow.adversarial.perceptual_weights import load_perceptual_network
from scaleflow.codec.models.decoded_parts import DecodedParts
from scaleflow.codec.models.scaleflow_picture import planes_of, rounded_to_depth
from scaleflow.codec.models.video_model import PictureGeometry, Precision
from scaleflow.codec.picture import Planes
from scaleflow.errors import DataError, UsageError


class PerceptualDecoder(nn.Module):
    """Implements :class:`scaleflow.codec.models.capabilities.ShowsPictures`.

    Stateful: it keeps what it added to the picture before. One object shows one stream, in order; :meth:`restart`
    begins another one.

    Args:
        network: with its weights.
        strength: share of the detail that is shown, 0 (fidelity) to 1. What is kept for the next picture does not
            depend on it.
        precision: arithmetic of the network.

    Raises:
        UsageError: the strength is out of range.
    """

    def __init__(self, network: PerceptualNetwork, strength: float = 1.0, precision: Precision = "fp32") -> None:
        super().__init__()
        if not (math.isfinite(strength) and 0 <= strength <= 1):
            raise UsageError(f"strength {strength:g} of a perceptual decoder is outside 0..1", fields=("strength",))
        self.network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.strength = strength
        self.precision = precision
        self._earlier: Tensor | None = None

    def restart(self) -> None:
        """Forget the picture before."""
        self._earlier = None

    def show(self, parts: DecodedParts, geometry: PictureGeometry) -> Planes:
        """The picture to show, in code values."""
        device = parts.picture.device
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            earlier = None if parts.key else self._earlier
            self._earlier = self.network(parts, earlier)
            shown = parts.picture.float() + self.strength * self._earlier
        return planes_of(rounded_to_depth(shown, geometry), geometry)


def load_perceptual_decoder(
    weights: Path, codec_hash: str, *, strength: float = 1.0, precision: Precision = "fp32", device: str = "cpu"
) -> PerceptualDecoder:
    """The perceptual decoder of a weights file, for the codec whose weights have this hash.

    Raises:
        UsageError: the strength is out of range.
        DataError: the file cannot be read, or belongs to other weights of the codec.
    """
    network, belongs_to = load_perceptual_network(weights)
    if belongs_to != codec_hash:
        raise DataError(
            f"{weights}: this perceptual decoder belongs to the codec's weights {belongs_to}, and the stream was "
            f"encoded with {codec_hash}: name the file that belongs to these, or decode for fidelity",
            fields=("decoder_weights",),
        )
    return PerceptualDecoder(network.to(device), strength, precision)
