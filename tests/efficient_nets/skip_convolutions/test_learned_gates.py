"""Gates that are trained: both forms, what their loss is, and that training closes them where nothing matters."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from scaleflow.efficient_nets.skip_convolutions.convolution import SkipConvolution
from scaleflow.efficient_nets.skip_convolutions.learned_gate import LearnedGate
from scaleflow.efficient_nets.skip_convolutions.method import SkipConv
from scaleflow.efficient_nets.video.conversion import accelerate
from scaleflow.errors import UsageError
from tests.efficient_nets.conftest import moving_square


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, stride=2, padding=1))


@pytest.mark.parametrize("reference", ["opened", "every"])
@pytest.mark.parametrize("block", [1, 4])
def test_both_forms_and_both_executions_agree(reference: str, block: int) -> None:
    settings = {"threshold": 0.7, "gate": "learned", "block": block, "reference": reference, "dense_above": 1}
    model = network()
    sparse, masked = (accelerate(model, SkipConv(**settings, execution=how)) for how in ("sparse", "masked"))
    masked.load_state_dict(sparse.state_dict())
    clip = torch.stack(moving_square(5, 18, 22, batch=2), 1)
    of_clip = sparse.forward_clip(clip)
    shares = []
    for step in range(5):
        found = sparse(clip[:, step])
        assert torch.allclose(found, of_clip[:, step], atol=1e-5)
        assert torch.allclose(found, masked(clip[:, step]), atol=1e-5)
        cost = sparse.cost().latest[-1].total
        shares.append((cost.macs - cost.gate_macs) / cost.dense_macs)
    assert shares[0] == 1 and 0 < max(shares[1:]) < 1


def test_the_loss_is_the_share_of_macs_that_the_clip_spent() -> None:
    video_model = accelerate(network(), SkipConv(threshold=0, gate="learned", block=2, dense_above=0)).train()
    clip = torch.stack(moving_square(4, 16, 24, batch=2), 1)
    video_model.forward_clip(clip)
    share = video_model.sparsity_loss()
    later = [frame.total for frame in video_model.cost().latest[1:]]
    spent = sum(cost.macs - cost.gate_macs for cost in later) / sum(cost.dense_macs for cost in later)
    assert share.item() == pytest.approx(spent, rel=1e-5) and 0 < spent < 1
    share.backward()
    for layer in video_model.converted_layers():
        assert isinstance(layer, SkipConvolution) and isinstance(layer.gate, LearnedGate)
        gradient = layer.gate.convolution.weight.grad
        assert gradient is not None and gradient.abs().max() > 0
    with pytest.raises(UsageError, match="no learned decision"):
        video_model.sparsity_loss()


def test_draws_follow_the_odds() -> None:
    torch.manual_seed(0)
    gate = LearnedGate(nn.Conv2d(1, 1, 1), 0, 1)
    for probability in (0.1, 0.5, 0.9):
        log_odds = torch.logit(torch.full((1, 100, 100), probability)).requires_grad_()
        drawn = gate.draw(log_odds)
        assert set(drawn.detach().round(decimals=4).unique().tolist()) == {0.0, 1.0}
        assert drawn.mean().item() == pytest.approx(probability, abs=0.02)
        drawn.mean().backward()
        assert log_odds.grad is not None and bool((log_odds.grad >= 0).all())


def test_training_closes_gates_where_the_task_allows() -> None:
    """The dense network teaches: with the sparsity loss, gates learn to open at the square and not at the ground."""
    model = network().requires_grad_(False)
    clips = torch.stack(moving_square(6, 16, 24, batch=4), 1)
    target = model(clips.flatten(0, 1)).unflatten(0, (4, 6))
    video_model = accelerate(model, SkipConv(threshold=0, gate="learned", block=2, dense_above=1))

    def evaluate() -> tuple[float, float]:
        with torch.no_grad():
            error = float((video_model.eval().forward_clip(clips) - target).square().mean())
        later = [frame.total for frame in video_model.cost().latest[-5:]]
        return error, sum(cost.macs - cost.gate_macs for cost in later) / sum(cost.dense_macs for cost in later)

    frozen = float((target[:, :1] - target).square().mean())
    _, share_before = evaluate()
    gates = [value for name, value in video_model.named_parameters() if ".gate." in name]
    optimizer = torch.optim.Adam(gates, 0.03)
    for _ in range(40):
        output = video_model.train().forward_clip(clips)
        loss = (output - target).square().mean() / frozen + 0.3 * video_model.sparsity_loss()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    error, share = evaluate()
    assert share_before > 0.95
    assert 0.02 < share < 0.6
    assert error < 0.2 * frozen


def test_weights_keep_their_names_beside_those_of_gates() -> None:
    model = network()
    names = set(accelerate(model, SkipConv(threshold=0, gate="learned")).model.state_dict())
    assert set(model.state_dict()) == {name for name in names if ".gate." not in name}
    assert len(names) == 2 * len(model.state_dict())
