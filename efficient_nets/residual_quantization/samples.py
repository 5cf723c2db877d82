"""Samples of what a layer sees, of which ranges are made."""

from __future__ import annotations

import torch
from torch import Tensor

SAMPLES_PER_FRAME = 1 << 14
"""Values that are kept of each input of a layer, drawn at random; least and largest are kept of all."""


class RangeSamples:
    """Values of one layer's inputs in key frames (or all, where every frame is one), and of residuals."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator
        self._frames: list[Tensor] = []
        self._residuals: list[Tensor] = []

    def add_frame(self, x: Tensor) -> None:
        """Note an input."""
        self._frames.append(self._draw(x))

    def add_residual(self, residual: Tensor) -> None:
        """Note a difference from the key frame."""
        self._residuals.append(self._draw(residual))

    @property
    def frames(self) -> Tensor | None:
        """All that was noted of inputs, (1, n)."""
        return torch.cat(self._frames)[None] if self._frames else None

    @property
    def residuals(self) -> Tensor | None:
        """All that was noted of differences, (1, n)."""
        return torch.cat(self._residuals)[None] if self._residuals else None

    def _draw(self, x: Tensor) -> Tensor:
        values = x.detach().flatten()
        if len(values) <= SAMPLES_PER_FRAME:
            return values.clone()
        drawn = torch.randint(len(values), (SAMPLES_PER_FRAME,), generator=self._generator).to(x.device)
        return torch.cat((values[drawn], values.amin()[None], values.amax()[None]))
