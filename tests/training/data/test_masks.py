"""Random regions of interest."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import label

from scaleflow.training.data.masks import MaskKind, box_mask, perlin_mask, random_masks


def test_noise_marks_a_random_share_in_few_regions() -> None:
    shares = []
    for seed in range(20):
        mask = perlin_mask(96, 160, np.random.default_rng(seed))
        assert mask.shape == (96, 160) and set(np.unique(mask)) == {0, 1}
        assert label(mask)[1] <= 20
        shares.append(float(mask.mean()))
    assert 0.09 < min(shares) < 0.2 and 0.5 < max(shares) < 0.61


def test_boxes_are_boxes() -> None:
    for seed in range(20):
        mask = box_mask(96, 160, np.random.default_rng(seed))
        regions, count = label(mask)
        assert 1 <= count <= 3
        for number in range(1, count + 1):
            rows, columns = np.nonzero(regions == number)
            whole = (np.ptp(rows) + 1) * (np.ptp(columns) + 1) == len(rows)
            assert whole or count < 3  # what is no rectangle is several that overlap


@pytest.mark.parametrize("kind", ["perlin", "boxes", "mixed"])
def test_masks_move_a_little_and_follow_from_the_generator(kind: MaskKind) -> None:
    moved = 0
    for seed in range(10):
        masks = random_masks(kind, 5, 64, 96, np.random.default_rng(seed))
        assert masks.shape == (5, 1, 64, 96) and masks.dtype == np.uint8
        assert np.array_equal(masks, random_masks(kind, 5, 64, 96, np.random.default_rng(seed)))
        changes = [float(np.mean(a != b)) for a, b in pairwise(masks)]
        assert max(changes) < 0.2
        moved += any(changes)
    assert moved >= 8
