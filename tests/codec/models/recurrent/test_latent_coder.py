"""Latents with their priors, as training sees them."""

from __future__ import annotations

import torch

from scaleflow.codec.models.recurrent.latent_coder import (
    PHASES,
    LatentCoder,
    LatentSizes,
    activity_classes,
    interleave,
)


def test_passes_cover_all_positions_once() -> None:
    parts = [torch.full((1, 1, 2, 3), float(number + 1)) for number in range(4)]
    whole = interleave(parts)
    for number, (row, column) in enumerate(PHASES):
        assert (whole[:, :, row::2, column::2] == number + 1).all()
    assert (interleave(parts[:2]) == 0).sum() == whole.numel() // 2


def test_activity_counts_symbols_around() -> None:
    symbols = torch.zeros(1, 3, 12, 24)
    symbols[0, 0, 1, 1] = 2
    symbols[0, :, 4:8, 20:24] = -1
    classes = activity_classes(symbols)
    assert classes.shape == (1, 1, 3, 6)
    assert classes[0, 0, 0, 0] == 2 and classes[0, 0, 0, 5] == 3 and classes[0, 0, 0, 2] == 1


def test_latents_come_back_within_half_a_step() -> None:
    torch.manual_seed(0)
    coder = LatentCoder(LatentSizes(16, 8, 16, 32, recurrent=True), (2.0, 0.1)).eval()
    latents, quality = torch.randn(2, 16, 6, 10), torch.tensor([10.0, 60.0])
    coded = coder(latents, quality)
    step = torch.exp2(-coder.gain(quality))
    assert ((coded.values - latents).abs() <= step / 2 + 1e-5).all()
    assert coded.bits_latents[1] > coded.bits_latents[0] > 0
    again = coder(latents, quality, coded.context)
    assert torch.isfinite(again.bits_latents).all()


def test_everything_learns() -> None:
    torch.manual_seed(0)
    coder = LatentCoder(LatentSizes(16, 8, 16, 32), (2.0, 0.1)).train()
    coded = coder(torch.randn(2, 16, 8, 8), torch.tensor([10.0, 60.0]))
    (coded.bits_latents.sum() + coded.bits_hyper.sum() + coded.values.square().sum()).backward()
    without = {name for name, parameter in coder.named_parameters() if parameter.grad is None}
    assert not without
