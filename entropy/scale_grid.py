"""The logarithmic grid of scales that the entropy coder knows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ScaleGrid:
    """Standard deviations ``smallest * 2 ** (i / steps_per_octave)``, i = 0..size - 1, in quantization steps."""

    smallest: float = 0.11
    steps_per_octave: int = 8
    size: int = 104

    def __post_init__(self) -> None:
        if self.smallest <= 0:
            raise ValueError(f"smallest scale {self.smallest} must be positive")
        if not 1 <= self.steps_per_octave <= 64:
            raise ValueError(f"steps_per_octave {self.steps_per_octave} is outside 1..64")
        if not 1 <= self.size <= 256:
            raise ValueError(f"size {self.size} is outside 1..256: an index is one byte")

    def scale(self, index: int) -> float:
        """Standard deviation of an index."""
        return float(self.smallest * 2 ** (index / self.steps_per_octave))
