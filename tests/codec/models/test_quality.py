"""Gains are continuous in quality, and their frozen form is close to the learned one."""

from __future__ import annotations

import torch

from scaleflow.codec.models.frozen_hyperprior import FrozenGain
from scaleflow.codec.models.quality import LatentGain, interpolate_anchors, quantization_step
from scaleflow.quality_range import HIGHEST_QUALITY_CODE, QUALITY_STEPS


def test_step_falls_from_coarsest_to_finest() -> None:
    steps = quantization_step(torch.tensor([0.0, 31.5, 63.0]))
    torch.testing.assert_close(steps, torch.tensor([224 * 2**0.5, (224 * 3.5) ** 0.5, 3.5 * 0.5**0.5]))


def test_interpolation_passes_through_anchors() -> None:
    anchors = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(interpolate_anchors(anchors, torch.linspace(0, 63, 8)), anchors, atol=1e-5, rtol=0)


def test_frozen_gain_follows_the_learned_gain_at_every_sixteenth() -> None:
    gain = LatentGain(4, 2.0, 0.25)
    with torch.no_grad():
        gain.anchors.add_(torch.randn(8, 4, generator=torch.Generator().manual_seed(0)))
    frozen = FrozenGain(4)
    frozen.freeze(gain)
    codes = range(0, HIGHEST_QUALITY_CODE + 1, 7)
    learned = gain(torch.tensor([code / QUALITY_STEPS for code in codes]))[:, :, 0, 0]
    integers = torch.cat([frozen(code)[:, :, 0, 0] for code in codes])
    assert torch.equal(integers, integers.round())
    torch.testing.assert_close(integers.float() / 512, learned.detach(), atol=2.5 / 512, rtol=0)
