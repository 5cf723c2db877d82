"""DAVIS's boundary measure, beside its definition by dilation with a disk."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.morphology import dilation, disk

from scaleflow.efficient_nets.tasks.boundary_measure import NEAR, boundary_measure, outline
from tests.places import SHARED


def by_definition(found: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> float:
    reach = disk(math.ceil(NEAR * math.hypot(*found.shape)))
    ours, theirs = outline(found), outline(wanted)
    precision = (ours & dilation(theirs, reach)).sum() / ours.sum()
    recall = (theirs & dilation(ours, reach)).sum() / theirs.sum()
    return float(2 * precision * recall / (precision + recall))


def test_real_masks_of_moving_objects() -> None:
    folder = SHARED / "data" / "davis" / "Annotations" / "480p" / "libby"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data/davis")
    paths = sorted(folder.glob("*.png"))[:12:3]
    masks = [np.asarray(Image.open(path)) > 0 for path in paths]
    values = []
    for first, second in itertools.pairwise(masks):
        values.append(boundary_measure(first, second))
        assert values[-1] == pytest.approx(by_definition(first, second))
    assert all(0.02 < value < 0.98 for value in values)
    assert boundary_measure(masks[0], masks[0]) == 1


def test_known_squares() -> None:
    square = np.zeros((100, 100), bool)
    square[20:60, 20:60] = True
    moved = np.zeros((100, 100), bool)
    moved[20:60, 22:62] = True  # reach is two samples
    far = np.zeros((100, 100), bool)
    far[70:90, 70:90] = True
    assert boundary_measure(square, moved) == 1
    assert boundary_measure(square, far) == 0


def test_regions_without_an_outline() -> None:
    nothing, all_of_it, some = np.zeros((9, 9), bool), np.ones((9, 9), bool), np.eye(9, dtype=bool)
    assert boundary_measure(nothing, nothing) == boundary_measure(nothing, all_of_it) == 1
    assert boundary_measure(some, nothing) == boundary_measure(nothing, some) == 0
