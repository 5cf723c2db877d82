"""Samples of what a layer sees, of which ranges are made."""

from __future__ import annotations

import torch
from torch import Tensor

SAMPLES_PER_FRAME = 1 << 14
"""Values that are kept of each tensor, drawn at random; the least and the largest are kept of all."""


class ValueSamples:
    """Values of one kind of tensor."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator
        self._values: list[Tensor] = []
        self._ends: list[Tensor] = []

    @property
    def count(self) -> int:
        """Tensors that were noted."""
        return len(self._values)

    @property
    def rows(self) -> Tensor:
        """The values that were drawn, (1, n)."""
        return torch.cat(self._values)[None]

    @property
    def ends(self) -> tuple[Tensor, Tensor]:
        """Least and largest of all values, (1,) each."""
        ends = torch.stack(self._ends)
        return ends[:, 0].amin()[None], ends[:, 1].amax()[None]

    def add(self, x: Tensor) -> None:
        """Note a tensor."""
        values = x.detach().flatten()
        self._ends.append(torch.stack((values.amin(), values.amax())))
        if len(values) > SAMPLES_PER_FRAME:
            drawn = torch.randint(len(values), (SAMPLES_PER_FRAME,), generator=self._generator)
            values = values[drawn.to(x.device)]
        self._values.append(values.clone())


class RangeSamples:
    """Values of one layer's inputs, and of their differences from key frames."""

    def __init__(self, generator: torch.Generator) -> None:
        self.frames = ValueSamples(generator)
        self.residuals = ValueSamples(generator)
