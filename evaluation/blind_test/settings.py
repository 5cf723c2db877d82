"""Which pairs of pictures a blind test shows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scaleflow.errors import UsageError

MOST_PAIRS = 200
"""More than a person judges with care."""

LARGEST_SEED = (1 << 32) - 1


@dataclass(frozen=True)
class BlindTestSettings:
    """Which pairs of pictures a blind test shows; clips, pictures and rates are those of the report's settings.

    Attributes:
        codecs: two or more that are compared with each other; all where empty.
        pairs: most pairs on the page, 1..200.
        seed: of the choice of pairs, their order and their sides, 0..2^32-1.
        rate_tolerance: by how many percent the larger file of a pair may be larger than the other, 0..100.
    """

    codecs: tuple[str, ...] = ()
    pairs: int = 20
    seed: int = 0
    rate_tolerance: float = 10.0

    def __post_init__(self) -> None:
        if len(set(self.codecs)) == 1:
            raise UsageError(f"{self.codecs[0]} alone makes no pair: name two codecs or more")
        if not 1 <= self.pairs <= MOST_PAIRS:
            raise UsageError(f"pairs {self.pairs} is outside 1..{MOST_PAIRS}", fields=("pairs",))
        if not 0 <= self.seed <= LARGEST_SEED:
            raise UsageError(f"seed {self.seed} is outside 0..{LARGEST_SEED}", fields=("seed",))
        if not (math.isfinite(self.rate_tolerance) and 0 <= self.rate_tolerance <= 100):
            raise UsageError(f"rate_tolerance {self.rate_tolerance:g} is outside 0..100", fields=("rate_tolerance",))
