"""Chroma resampling: positions, exact round trips, and quality."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaleflow.codec.video.chroma import chroma_shape, resample_chroma
from scaleflow.codec.video.color import ChromaSite

SITES: list[ChromaSite] = ["left", "center"]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([(0, 0), (1, 0), (0, 1), (2, 0), (2, 2)]),
    st.sampled_from(SITES),
    st.integers(0, 2**32 - 1),
)
def test_420_is_found_again_after_going_up(
    height: int, width: int, other: tuple[int, int], site: ChromaSite, seed: int
) -> None:
    coarse, fine = ((1, 1), other) if max(other) < 2 else (other, (1, 0) if other == (2, 0) else (1, 1))
    plane = np.random.default_rng(seed).random(chroma_shape(height, width, coarse), dtype=np.float32) * 1023
    raised = resample_chroma(plane, height, width, coarse, fine, site)
    assert raised.shape == chroma_shape(height, width, fine)
    found = resample_chroma(raised, height, width, fine, coarse, site)
    assert np.abs(found - plane).max() < 0.01


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("source", [(0, 0), (1, 0), (0, 1), (2, 0), (2, 2)])
def test_flat_stays_flat(source: tuple[int, int], site: ChromaSite) -> None:
    plane = np.full(chroma_shape(77, 101, source), 77, np.float32)
    result = resample_chroma(plane, 77, 101, source, (1, 1), site)
    assert result.shape == (39, 51)
    assert np.allclose(result, 77)


@pytest.mark.parametrize(("site", "offset"), [("left", 0.0), ("center", 0.5)])
def test_samples_lie_where_the_standard_puts_them(site: ChromaSite, offset: float) -> None:
    across = np.tile(np.arange(32, dtype=np.float32), (32, 1))
    halved = resample_chroma(across, 32, 32, (0, 0), (1, 1), site)
    assert np.allclose(halved[4, 2:-2], np.arange(16)[2:-2] * 2 + offset)
    down = resample_chroma(across.T.copy(), 32, 32, (0, 0), (1, 1), site)
    assert np.allclose(down[2:-2, 4], np.arange(16)[2:-2] * 2 + 0.5)
    raised = resample_chroma(halved, 32, 32, (1, 1), (0, 0), site)
    assert np.allclose(raised[8, 4:-4], across[8, 4:-4])
