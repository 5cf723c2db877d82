"""What a decoder has of a picture beside the picture itself: for networks that show it differently."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class DecodedParts:
    """Decoded pictures of a batch, and what they were put together from.

    Attributes:
        picture: packed (N, 6, H / 2, W / 2), as the decoder keeps it; see
            :func:`scaleflow.codec.models.transforms.pack_planes`.
        latents: of the picture (key pictures) or of its residual, at a sixteenth of the size, (N, C, h, w).
        flow: to the picture before, at a quarter of the size in samples of luma, (N, 2, H / 4, W / 4); None of key
            pictures.
        quality: (N,), 0..63.
        beside: what the synthesis of residuals takes after latents and quality, of which the packed prediction is the
            last; empty of key pictures.
    """

    picture: Tensor
    latents: Tensor
    flow: Tensor | None
    quality: Tensor
    beside: tuple[Tensor, ...] = ()

    @property
    def key(self) -> bool:
        """Whether the pictures stand alone."""
        return self.flow is None

    @property
    def prediction(self) -> Tensor:
        """Of pictures that do not stand alone, packed."""
        return self.beside[-1]
