"""Discriminators: what they see, what they cost, and that they can be taught."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from scaleflow.adversarial.discriminators import (
    Discriminator,
    DiscriminatorConfig,
    Discriminators,
    clip_discriminator,
    patch_discriminator,
    small_clip_discriminator,
    small_patch_discriminator,
)
from scaleflow.adversarial.losses import discriminator_loss
from scaleflow.errors import UsageError

BUILDERS = (small_patch_discriminator, small_clip_discriminator, patch_discriminator, clip_discriminator)
SIDE = 64


def counted_macs(network: nn.Module, run: Callable[[], object]) -> int:
    """Multiplications of all convolutions in a run."""
    count = 0

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal count
        assert isinstance(module, nn.Conv2d)
        count += output.numel() * module.weight[0].numel()

    hooks = [module.register_forward_hook(note) for module in network.modules() if isinstance(module, nn.Conv2d)]
    run()
    for hook in hooks:
        hook.remove()
    return count


@pytest.mark.parametrize("builder", BUILDERS)
def test_cost_is_what_the_configuration_says(builder: Callable[[], DiscriminatorConfig]) -> None:
    config = builder()
    network = Discriminator(config)
    clips = torch.zeros(1, config.pictures, 6, SIDE, SIDE)
    with torch.no_grad():
        macs = counted_macs(network, lambda: network(clips, clips))
    assert macs / (4 * SIDE * SIDE) / 1000 == pytest.approx(config.kilo_macs_per_pixel, rel=1e-6)
    stated = (builder.__doc__ or "").partition(" kMAC")[0].split()[-1]
    assert float(stated) == pytest.approx(config.kilo_macs_per_pixel, rel=0.02)


@pytest.mark.parametrize("pictures", [1, 3])
def test_a_score_depends_on_its_receptive_field_alone(pictures: int) -> None:
    config = DiscriminatorConfig((8, 8, 8), pictures=pictures, condition="none")
    torch.manual_seed(0)
    network = Discriminator(config).eval()
    clips = torch.randn(1, pictures, 6, SIDE, SIDE, requires_grad=True)
    (score,) = network(clips).scores
    score[0, 0, score.shape[2] // 2, score.shape[3] // 2].backward()
    assert clips.grad is not None
    touched = clips.grad[0].abs().sum((0, 1, 3)).nonzero().flatten()
    assert 2 * int(touched[-1] - touched[0] + 1) == config.receptive_field
    assert bool((clips.grad[0].abs().sum((1, 2, 3)) > 0).all())  # every picture of the run is seen


def test_runs_are_judged_one_by_one() -> None:
    torch.manual_seed(0)
    network = Discriminator(DiscriminatorConfig((8, 8, 8), pictures=3, condition="none")).eval()
    clips = torch.randn(2, 5, 6, 32, 32)
    (together,) = network(clips).scores
    assert together.shape == (2 * 3, 1, 8, 8)
    (last,) = network(clips[1:, 2:]).scores
    assert torch.allclose(together[-1], last[0], atol=1e-5)


@pytest.mark.parametrize("condition", ["picture", "latents"])
def test_what_was_sent_is_seen(condition: str) -> None:
    torch.manual_seed(0)
    config = DiscriminatorConfig((8, 8, 8), scales=2, condition=condition, latents=5)  # type: ignore[arg-type]
    network = Discriminator(config).eval()
    clips = torch.randn(1, 2, 6, 32, 32)
    shape = (1, 2, 6, 32, 32) if condition == "picture" else (1, 2, 5, 4, 4)
    one, other = (network(clips, torch.randn(shape)) for _ in range(2))
    assert len(one.scores) == 2
    assert all(not torch.equal(a, b) for a, b in zip(one.scores, other.scores, strict=True))
    with pytest.raises(UsageError, match=f"'{condition}'"):
        network(clips)
    with pytest.raises(UsageError, match="'none'"):
        Discriminator(DiscriminatorConfig((8, 8, 8), condition="none"))(clips, clips)


def test_short_clips_are_left_to_those_of_single_pictures() -> None:
    small = DiscriminatorConfig((8, 8, 8), condition="none")
    runs = DiscriminatorConfig((8, 8, 8), pictures=3, condition="none")
    both = Discriminators([small, runs])
    assert len(both(torch.zeros(1, 3, 6, 32, 32)).scores) == 2
    assert len(both(torch.zeros(1, 2, 6, 32, 32)).scores) == 1
    with pytest.raises(UsageError, match="2 pictures are too short"):
        Discriminators([runs])(torch.zeros(1, 2, 6, 32, 32))


def test_layers_keep_their_gain_below_one() -> None:
    """Spectral norm: no layer enlarges the difference of two inputs, which bounds what a decoder is taught."""
    torch.manual_seed(0)
    network = Discriminator(DiscriminatorConfig((8, 8, 8), condition="none")).train()
    for _ in range(30):
        network(torch.randn(1, 1, 6, 32, 32))
    weights = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert len(weights) == 5
    for weight in weights:
        assert float(torch.linalg.matrix_norm(weight.flatten(1).detach(), 2)) == pytest.approx(1, abs=0.05)


def test_it_learns_to_tell_blurred_pictures() -> None:
    torch.manual_seed(0)
    network = Discriminator(DiscriminatorConfig((8, 16, 16)))
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    sharp = torch.randn(4, 1, 6, 32, 32)
    blurred = nn.functional.avg_pool2d(sharp.flatten(0, 1), 3, 1, 1).unflatten(0, (4, 1))
    first: float | None = None
    for _ in range(60):
        loss = discriminator_loss("hinge", network(sharp, blurred), network(blurred, blurred))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first = first or float(loss.detach())
    assert first is not None and float(loss.detach()) < 0.3 * first


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"widths": (32, 64)}, r"widths = \(32, 64\)"),
        ({"widths": (1, 64, 96)}, "4..512"),
        ({"pictures": 0}, "pictures = 0"),
        ({"scales": 9}, "scales = 9"),
        ({"latents": 0}, "latents = 0"),
    ],
)
def test_sizes_are_checked(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DiscriminatorConfig(**values)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no discriminators"):
        Discriminators([])
