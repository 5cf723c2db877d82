"""In which order the frames of a video are looked at: from coarse to fine, so that early ones tell most."""

from __future__ import annotations

import itertools

import numpy as np

from scaleflow.errors import UsageError

RELEASED_ORDER_OF_TEN = (5, 0, 9, 2, 7, 4, 6, 3, 8, 1)
"""What the released code has for ten frames, where rounding and ties are not what the paper's policy gives."""


def coarse_to_fine(frames: int) -> tuple[int, ...]:
    """All of 0..frames - 1: the middle, the ends, then again and again the middles of what lies between.

    Ghodrati et al., "FrameExit", CVPR 2021, appendix A; for ten frames the order of its released code.

    Raises:
        UsageError: ``frames`` is below 1.
    """
    if frames < 1:
        raise UsageError(f"frames = {frames}: at least 1 is needed")
    if frames == len(RELEASED_ORDER_OF_TEN):
        return RELEASED_ORDER_OF_TEN
    order = [frames // 2, 0, frames - 1]
    intervals = 2
    while intervals <= 2 * frames:
        ends = np.floor(np.linspace(0, frames - 1, intervals + 1)).astype(int)
        order += [int(first + last) // 2 for first, last in itertools.pairwise(ends)]
        intervals *= 2
    return tuple(dict.fromkeys([*order, *range(frames)]))
