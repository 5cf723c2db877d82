"""A codec whose decoder shows pictures by a second synthesis, for perception.

Streams, prediction and exactness are those of the codec inside: what it predicts from is not changed, and its decoded
symbols do not depend on the choice.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from scaleflow.adversarial.perceptual_weights import load_second_synthesis
from scaleflow.adversarial.second_synthesis import SecondSynthesis
from scaleflow.codec.models.capabilities import GivesParts, features_of, require_parts
from scaleflow.codec.models.computation import picture_computation
from scaleflow.codec.models.model_around import ModelAround
from scaleflow.codec.models.picture_order import PictureOrder
from scaleflow.codec.models.registry import WEIGHTS_FOLDER
from scaleflow.codec.models.scaleflow_picture import planes_of, rounded_to_depth
from scaleflow.codec.models.video_model import EncodedPicture, PictureGeometry, Reference, VideoModel
from scaleflow.codec.picture import Planes
from scaleflow.errors import UsageError

DEFAULT_WEIGHTS = WEIGHTS_FOLDER / "default-perceptual.safetensors"
"""What is shipped, for the shipped weights of the default model."""


@dataclass(frozen=True)
class PerceptualReference:
    """The reference of the codec inside, and what is shown in its place.

    Attributes:
        inner: what the next picture is predicted from.
        picture, detail: packed (1, 6, H / 2, W / 2), as decoded and what is added to it at full strength.
        strength: share of the detail that is shown.
        geometry: of the picture.
    """

    inner: Reference
    picture: Tensor
    detail: Tensor
    strength: float
    geometry: PictureGeometry

    def planes(self) -> Planes:
        """The picture to show."""
        shown = rounded_to_depth(self.picture + self.strength * self.detail, self.geometry)
        return planes_of(shown, self.geometry)


class PerceptualCodec(ModelAround):
    """Implements :class:`scaleflow.codec.models.video_model.VideoModel` around one that gives the parts of pictures.

    Args:
        codec: decodes, and encodes as it always does.
        synthesis: the perceptual decoder's, on the same device.
        strength: share of the detail that is shown: 0 shows what the codec decodes, 1 all of it.

    Raises:
        UsageError: the strength is out of range, or the codec does not give parts.
    """

    def __init__(self, codec: VideoModel, synthesis: SecondSynthesis, strength: float = 1.0) -> None:
        check_strength(strength)
        super().__init__(codec)
        self._codec: GivesParts = require_parts(codec)
        self._synthesis = synthesis.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.strength = strength
        self.stream_features = features_of(codec)

    def encode_picture(
        self, planes: Planes, geometry: PictureGeometry, reference: Reference | None, order: PictureOrder
    ) -> EncodedPicture:
        """As the codec inside: whoever encodes does not know how a picture will be shown."""
        inner = reference.inner if isinstance(reference, PerceptualReference) else reference
        return super().encode_picture(planes, geometry, inner, order)

    def decode_picture(self, payload: bytes, geometry: PictureGeometry, reference: Reference | None) -> Reference:
        """See :class:`scaleflow.codec.models.video_model.VideoModel`."""
        assert reference is None or isinstance(reference, PerceptualReference)
        inner = None if reference is None else reference.inner
        decoded, parts = self._codec.decode_picture_and_parts(payload, geometry, inner)
        with picture_computation(parts.picture.device, self.precision):
            detail = self._synthesis(parts, None if reference is None else reference.detail)
        return PerceptualReference(decoded, parts.picture, detail, self.strength, geometry)


def decoder_of(
    kind: str, perception: float | None = None, weights: str | os.PathLike[str] | None = None
) -> Callable[[VideoModel], VideoModel]:
    """What makes a loaded codec show its pictures as a person asked for.

    Args:
        kind: ``fidelity`` or ``perceptual``.
        perception: share of the perceptual decoder's detail, 0..1; 1 where it is None.
        weights: of the perceptual decoder; without, the shipped ones.

    Raises:
        UsageError: an unknown kind, a share out of range, or one of the others without ``perceptual``.
    """
    if kind not in ("fidelity", "perceptual"):
        raise UsageError(f"decoder {kind!r} is unknown: choose fidelity or perceptual", fields=("decoder",))
    if kind == "fidelity":
        given = {"perception": perception, "decoder_weights": weights}
        for name, value in given.items():
            if value is not None:
                raise UsageError(f"{name} is of decoder 'perceptual': choose that, or leave it out", fields=(name,))
        return lambda codec: codec
    strength = 1.0 if perception is None else perception
    check_strength(strength)
    place = None if weights is None else Path(weights)
    return lambda codec: with_perceptual_decoder(codec, place, strength)


def check_strength(strength: float) -> None:
    """Raises :class:`UsageError` where a share of detail is out of range."""
    if not (math.isfinite(strength) and 0 <= strength <= 1):
        raise UsageError(f"perception {strength:g} is outside 0..1", fields=("perception",))


def with_perceptual_decoder(codec: VideoModel, weights: Path | None = None, strength: float = 1.0) -> PerceptualCodec:
    """A codec with the perceptual decoder that belongs to its weights.

    Args:
        codec: as it was loaded for the stream.
        weights: of the decoder; without, the shipped ones.
        strength: as of :class:`PerceptualCodec`.

    Raises:
        UsageError: the strength is out of range, or the codec cannot be shown otherwise.
        DataError: the file cannot be read, or belongs to other weights of a codec.
    """
    inner = require_parts(codec)
    synthesis = load_second_synthesis(weights or DEFAULT_WEIGHTS, inner)
    return PerceptualCodec(inner, synthesis.to(inner.device), strength)
