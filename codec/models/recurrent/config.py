"""Sizes of the recurrent model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RecurrentConfig:
    """Channels of the recurrent model.

    Attributes:
        intra_latents, residual_latents: at a sixteenth of the size; they bound the quality at high rates.
        motion_latents: that carry motion, at a sixteenth.
        memory: carried from picture to picture, at an eighth.
        context: of what is known of a picture before its residual is decoded, at an eighth; at a sixteenth there are a
            third more.
        second_reference: predictions are blended from the previous picture and the one before it.
    """

    intra_latents: int = 256
    residual_latents: int = 256
    motion_latents: int = 32
    memory: int = 64
    context: int = 96
    second_reference: bool = True

    def __post_init__(self) -> None:
        for name, lowest, highest in (
            ("intra_latents", 8, 384),
            ("residual_latents", 8, 384),
            ("motion_latents", 8, 128),
            ("memory", 8, 128),
            ("context", 24, 192),
        ):
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise ValueError(f"{name} = {value} is outside {lowest}..{highest}")
        if self.context % 3:
            raise ValueError(f"context = {self.context} is no multiple of 3")

    @property
    def coarse_context(self) -> int:
        """Channels of the context at a sixteenth."""
        return self.context // 3 * 4
