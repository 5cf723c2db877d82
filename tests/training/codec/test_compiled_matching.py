"""Block matching by compiled loops finds what the codec's own finds."""

from __future__ import annotations

import pytest
import torch

from scaleflow.codec.models.motion_estimation import match_blocks
from scaleflow.training.codec.compiled_matching import compiled_differences


@pytest.mark.parametrize("price", [5.0, 60.0])
def test_the_same_vectors_are_found(price: float) -> None:
    pytest.importorskip("numba")
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 1, 14, 18, generator=generator) * 255
    reference = torch.nn.functional.interpolate(coarse, scale_factor=8, mode="bicubic")
    current = torch.roll(reference, (3, -5), (2, 3)) + torch.rand(reference.shape, generator=generator)
    plain = match_blocks(current, reference, price)
    compiled = match_blocks(current, reference, price, differences=compiled_differences(torch.device("cpu")))
    assert ((plain != compiled).any(1)).float().mean() < 0.02
    assert abs(float(compiled[:, 0].median()) - 5) < 0.3 and abs(float(compiled[:, 1].median()) + 3) < 0.3


def test_elsewhere_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiled_differences(torch.device("cuda")) is None
    monkeypatch.setattr("scaleflow.training.codec.compiled_matching.find_spec", lambda name: None)
    assert compiled_differences(torch.device("cpu")) is None
