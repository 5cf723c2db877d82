"""Clips from several sources, each as often as its share says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scaleflow.errors import UsageError
from scaleflow.training.data.clip import Clip, ClipRequest, ClipSource


class Mixture:
    """A :class:`scaleflow.training.data.clip.ClipSource` whose places are those of all its sources."""

    def __init__(self, parts: Sequence[tuple[ClipSource, float]]) -> None:
        """Sources and their shares, in any unit."""
        if not parts:
            raise UsageError("a mixture of no sources")
        self._parts = list(parts)
        self._ends = np.cumsum([len(source) for source, _ in self._parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def weights(self) -> Sequence[float]:
        """Those of each source, scaled to its share."""
        weights: list[float] = []
        for source, share in self._parts:
            own = source.weights()
            weights += [share * weight / sum(own) for weight in own]
        return weights

    def file_of(self, index: int) -> Path:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        source, place = self._place(index)
        return source.file_of(place)

    def describe(self) -> str:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        total = sum(share for _, share in self._parts)
        return " ".join(f"{share / total:.0%}: {source.describe()}" for source, share in self._parts)

    def read(self, index: int, request: ClipRequest, generator: np.random.Generator) -> Clip:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        source, place = self._place(index)
        return source.read(place, request, generator)

    def _place(self, index: int) -> tuple[ClipSource, int]:
        part = int(np.searchsorted(self._ends, index, "right"))
        first = int(self._ends[part - 1]) if part else 0
        return self._parts[part][0], index - first
