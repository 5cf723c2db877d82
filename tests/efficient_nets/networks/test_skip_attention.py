"""Vision transformers with attention and with what replaces it: published sizes, cost, learning, what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from scaleflow.efficient_nets.networks.skip_attention import SkipAttention
from scaleflow.efficient_nets.networks.vision_transformer import (
    Attention,
    TransformerClassifier,
    TransformerConfig,
    TransformerRestoration,
    TransformerSegmentation,
    base,
    small,
    tiny,
)
from scaleflow.errors import UsageError


def parameters_of(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("config", "parameters"), [(tiny, 5717416), (small, 22050664), (base, 86567656)])
def test_plain_transformers_are_as_large_as_published(
    config: Callable[[tuple[int, int] | None], TransformerConfig], parameters: int
) -> None:
    with torch.device("meta"):
        assert parameters_of(TransformerClassifier(config(None), 1000)) == parameters


def test_the_function_is_about_as_large_as_attention() -> None:
    """0.611 and 0.591 million at 384 channels."""
    assert parameters_of(SkipAttention(384)) == 610947
    assert parameters_of(Attention(384, 6)) == 591360


def flops(network: nn.Module, x: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(x)
    return counter.get_total_flops()


def test_skipping_saves_what_grows_with_the_square_of_the_tokens() -> None:
    ratios = []
    for side in (112, 224, 448):
        with torch.device("meta"):
            x = torch.empty(1, 3, side, side)
            skipping, plain = (flops(TransformerSegmentation(config, 11), x) for config in (small(), small(None)))
            ratios.append(skipping / plain)
    assert ratios[0] > ratios[1] > ratios[2] and ratios[2] < 0.9


def test_skipped_blocks_see_their_neighbours_and_leave_the_class_token() -> None:
    torch.manual_seed(0)
    function = SkipAttention(16)
    tokens = torch.randn(2, 1 + 6 * 5, 16)
    output = function(tokens, (6, 5))
    assert output.shape == tokens.shape and torch.equal(output[:, 0], tokens[:, 0])
    changed = tokens.clone()
    changed[:, 1 + 2 * 5 + 2] += 1  # row 2, column 2
    function.weigh.weight.data.zero_()  # which sees all places
    difference = (function(changed, (6, 5)) - function(tokens, (6, 5)))[:, 1:].abs().amax((0, 2)).view(6, 5)
    assert (difference[:5] > 0).all() and (difference[5] == 0).all()


def test_restoration_starts_as_identity_and_learns_to_remove_noise() -> None:
    torch.manual_seed(0)
    config = TransformerConfig(64, 2, depth=3, patch=4, grid=8, skipped=(1, 1))
    network = TransformerRestoration(config)
    ramp = torch.linspace(0, 1, 32)
    clean = torch.stack((ramp[None].expand(32, 32), ramp[:, None].expand(32, 32), (ramp[None] + ramp[:, None]) / 2))
    noisy = clean + 0.1 * torch.randn(8, 3, 32, 32)
    assert torch.equal(network(noisy), noisy)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(60):
        loss = (network(clean + 0.1 * torch.randn(8, 3, 32, 32)) - clean).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (network(noisy) - clean).square().mean() < 0.5 * (noisy - clean).square().mean()


def test_pictures_of_other_sizes() -> None:
    network = TransformerSegmentation(TransformerConfig(16, 2, depth=3, grid=2, skipped=(1, 1)), 5)
    assert network(torch.rand(1, 3, 48, 80)).shape == (1, 5, 12, 20)
    with pytest.raises(UsageError, match="pictures of 90x48 do not fit a grid of patches of 16: make them 80x48"):
        network(torch.rand(1, 3, 48, 90))


def test_wrong_settings() -> None:
    with pytest.raises(UsageError, match="width = 100 is no multiple of heads = 3"):
        TransformerConfig(100, 3)
    with pytest.raises(UsageError, match=r"skipped = \(0, 4\): the first and last of blocks 1 to 11"):
        tiny((0, 4))
    with pytest.raises(UsageError, match="patch = 6 is no multiple of 4"):
        TransformerSegmentation(tiny(patch=6), 5)
