"""The range of the one number that sets the rate: 0, the smallest file, to 63, in sixteenths."""

from __future__ import annotations

HIGHEST_QUALITY = 63.0

QUALITY_STEPS = 16
"""Qualities are told apart to a sixteenth."""

HIGHEST_QUALITY_CODE = int(HIGHEST_QUALITY) * QUALITY_STEPS
"""Of :func:`quality_code`."""


def is_quality(quality: float) -> bool:
    """Whether a number is within the range; one that is not finite is not."""
    return 0 <= quality <= HIGHEST_QUALITY


def quality_code(quality: float) -> int:
    """The nearest quality that can be written, in sixteenths: 0..1008."""
    return min(max(round(quality * QUALITY_STEPS), 0), HIGHEST_QUALITY_CODE)


def round_quality(quality: float) -> float:
    """The quality in 0..63 on the grid of sixteenths that is nearest."""
    return quality_code(quality) / QUALITY_STEPS
