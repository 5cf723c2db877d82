"""Bits of symbols under Gaussians: their value, their gradient, and what happens far out."""

from __future__ import annotations

import math

import pytest
import torch

from scaleflow.codec.models.recurrent.likelihood import HIGHEST_OCTAVE, gaussian_bits

SMALLEST = 0.11


def test_bits_are_those_of_the_integrated_gaussian() -> None:
    residues = torch.linspace(-3, 3, 61, dtype=torch.float64)
    for octave in (2.0, 4.0, 7.0):
        normal = torch.distributions.Normal(0.0, SMALLEST * 2**octave)
        expected = -torch.log2(normal.cdf(residues + 0.5) - normal.cdf(residues - 0.5))
        assert torch.allclose(gaussian_bits(residues, torch.full_like(residues, octave)), expected, atol=1e-6)


def test_gradients_are_those_of_the_value() -> None:
    generator = torch.Generator().manual_seed(0)
    residues = (torch.rand(100, generator=generator, dtype=torch.float64) * 6 - 3).requires_grad_()
    octaves = (torch.rand(100, generator=generator, dtype=torch.float64) * 5 + 3).requires_grad_()
    assert torch.autograd.gradcheck(gaussian_bits, (residues, octaves))


def test_cost_goes_on_rising_where_the_likelihood_underflows() -> None:
    residues = torch.tensor([1.0, 1.4, 1.8, 40.0], requires_grad=True)
    octaves = torch.zeros(4, requires_grad=True)
    bits = gaussian_bits(residues, octaves)
    bits.sum().backward()
    assert torch.isfinite(bits).all() and (bits[1:] > bits[:-1]).all()
    assert residues.grad is not None and octaves.grad is not None
    assert (residues.grad > 0).all() and (octaves.grad < 0).all()


@pytest.mark.parametrize(("octave", "residue", "leads_back"), [(-1.0, 2.0, True), (-1.0, 0.0, False)])
def test_beyond_the_grid_gradients_only_lead_back(octave: float, residue: float, leads_back: bool) -> None:
    octaves = torch.tensor([octave], requires_grad=True)
    gaussian_bits(torch.tensor([residue]), octaves).sum().backward()
    assert octaves.grad is not None
    assert bool(octaves.grad != 0) == leads_back


def test_scales_end_with_the_grid() -> None:
    residue = torch.tensor([3.0])
    inside, outside = (gaussian_bits(residue, torch.tensor([octave])) for octave in (HIGHEST_OCTAVE, 20.0))
    assert torch.equal(inside, outside) and math.isfinite(float(inside))
