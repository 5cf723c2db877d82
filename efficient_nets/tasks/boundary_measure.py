"""How well the outlines of two regions agree: DAVIS's boundary measure F.

Perazzi et al., "A benchmark dataset and evaluation methodology for video object segmentation" (CVPR 2016), section 4:
the F-measure of precision and recall of outlines, of which a place counts as met where the other outline is near.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

NEAR = 0.008
"""Share of the picture's diagonal within which an outline counts as met, as in DAVIS's own evaluation."""


def boundary_measure(found: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> float:
    """F of two regions (H, W), 0..1: 1 where the outlines agree, and where neither region has one."""
    reach = math.ceil(NEAR * math.hypot(*found.shape))
    ours, theirs = outline(found), outline(wanted)
    if not ours.any() or not theirs.any():
        return float(not ours.any() and not theirs.any())
    part = _window(ours | theirs, reach)
    ours, theirs = ours[part], theirs[part]
    precision = _share_near(ours, theirs, reach)
    recall = _share_near(theirs, ours, reach)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def outline(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Places that differ from the one to the right, below, or both: a line one sample wide, as DAVIS draws it."""
    padded = np.pad(region, ((0, 1), (0, 1)), mode="edge")
    right, below, both = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    return np.asarray((region != right) | (region != below) | (region != both))


def _share_near(line: NDArray[np.bool_], other: NDArray[np.bool_], reach: int) -> float:
    """Share of the places of a line that have a place of the other within reach."""
    distance = distance_transform_edt(~other)
    return float((distance[line] <= reach).mean())


def _window(places: NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """The part of a picture that holds all places, with a margin: what lies outside is near to none."""
    found = []
    for axis in (1, 0):
        (lines,) = np.nonzero(places.any(axis))
        found.append(slice(max(0, int(lines[0]) - margin), int(lines[-1]) + margin + 1))
    return found[0], found[1]
