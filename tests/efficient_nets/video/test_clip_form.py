"""The form for training, which takes whole clips, beside the one that takes frame after frame."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from scaleflow.efficient_nets.skip_convolutions.method import SkipConv
from scaleflow.efficient_nets.video.conversion import accelerate
from scaleflow.errors import UsageError
from tests.efficient_nets.conftest import frames, moving_square, seeded

__all__ = ["frames"]


@pytest.mark.parametrize("reference", ["opened", "every"])
def test_both_forms_agree_on_a_real_network(reference: str, frames: list[Tensor]) -> None:
    torch.manual_seed(0)
    model = seeded(torchvision.models.resnet18(weights=None))
    video_model = accelerate(model, SkipConv(threshold=0.5, block=2, reference=reference))
    clip = torch.stack(frames, 1)
    with torch.no_grad():
        found = video_model.forward_clip(clip)
        dense = model(clip.flatten(0, 1)).unflatten(0, (1, -1))
    of_clip = video_model.cost()
    video_model.clear_cost()
    expected = torch.stack([video_model(frame) for frame in frames], 1)
    assert found.shape == expected.shape == (1, len(frames), 1000)
    scale = dense.abs().max()
    assert (found - expected).abs().max() <= 1e-5 * scale
    assert (found - dense).abs().max() >= 1e-3 * scale, "gates were closed"
    streamed = video_model.cost()
    assert [frame.key for frame in of_clip.latest] == [frame.key for frame in streamed.latest]
    for one, other in zip(of_clip.latest, streamed.latest, strict=True):
        assert list(one.layers) == list(other.layers)
        assert one.total.macs == pytest.approx(other.total.macs, rel=2e-3)


@pytest.mark.parametrize(
    "form",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 5, "padding": 2, "stride": 2, "groups": 2},
        {"kernel_size": 3, "padding": 2, "dilation": 2, "padding_mode": "reflect", "bias": False},
    ],
)
@pytest.mark.parametrize("reference", ["opened", "every"])
def test_both_forms_agree_on_clips_side_by_side(reference: str, form: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(4, 8, **form), nn.ReLU(inplace=True), nn.Conv2d(8, 4, 1))
    video_model = accelerate(model, SkipConv(threshold=0.2, block=2, reference=reference))
    clip = torch.stack(moving_square(6, 19, 23, batch=3), 1)
    found = video_model.forward_clip(clip)
    for step in range(6):
        assert torch.allclose(found[:, step], video_model(clip[:, step]), atol=1e-5)


def test_a_clip_leaves_the_streaming_video_alone() -> None:
    torch.manual_seed(0)
    video_model, undisturbed = (accelerate(nn.Conv2d(4, 4, 3), SkipConv(0.2, block=2)) for _ in range(2))
    undisturbed.load_state_dict(video_model.state_dict())
    for frame in moving_square(4, 16, 18):
        video_model.forward_clip(torch.randn(2, 3, 4, 16, 18))
        assert torch.equal(video_model(frame), undisturbed(frame))


def test_gradients_go_to_the_frame_whose_output_was_kept() -> None:
    model = nn.Conv2d(1, 1, 1)
    video_model = accelerate(model, SkipConv(threshold=0.1, gate="input", block=1))
    clip = torch.zeros(1, 3, 1, 1, 2)
    clip[0, 1:, 0, 0, 1] = 1  # the second sample changes in the second frame; the first never does
    clip.requires_grad_()
    video_model.forward_clip(clip).sum().backward()
    assert clip.grad is not None
    weight = model.weight.item()
    assert clip.grad.flatten().tolist() == pytest.approx([3 * weight, weight, 0, 2 * weight, 0, 0])
    assert video_model.model.weight.grad is not None
    assert video_model.model.weight.grad.item() == pytest.approx(2)


def test_outputs_of_any_structure_are_clips() -> None:
    class Several(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> dict[str, Any]:
            y = self.layer(x)
            return {"out": y, "parts": (y[:, :1], [y.mean((1, 2, 3))]), "name": "none"}

    output = accelerate(Several(), SkipConv(0)).forward_clip(torch.zeros(2, 3, 4, 5, 6))
    assert output["out"].shape == (2, 3, 4, 5, 6)
    assert output["parts"][0].shape == (2, 3, 1, 5, 6) and output["parts"][1][0].shape == (2, 3)
    assert output["name"] == "none"


def test_what_is_no_clip_is_refused() -> None:
    class Merging(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x[:1])

    video_model = accelerate(Merging(), SkipConv(0))
    with pytest.raises(UsageError, match=r"\(3, 4, 5, 6\)"):
        video_model.forward_clip(torch.zeros(3, 4, 5, 6))
    with pytest.raises(UsageError, match="layer: a batch of 1 holds no clips of 2 frames"):
        video_model.forward_clip(torch.zeros(1, 2, 4, 5, 6))
