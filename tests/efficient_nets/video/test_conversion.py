"""Conversion of whole networks, on real frames and on networks made to be hard to convert."""

from __future__ import annotations

import copy
from collections import OrderedDict

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from scaleflow.codec.models.layers import ResidualBlock
from scaleflow.efficient_nets.skip_convolutions.convolution import SkipConvolution
from scaleflow.efficient_nets.skip_convolutions.method import SkipConv
from scaleflow.efficient_nets.video.batch_norm import fold_batch_norms
from scaleflow.efficient_nets.video.conversion import accelerate
from scaleflow.errors import UsageError
from tests.efficient_nets.conftest import frames, moving_square, seeded

__all__ = ["frames"]


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_threshold_0_gives_what_the_dense_network_gives(name: str, frames: list[Tensor]) -> None:
    torch.manual_seed(0)
    model = seeded(getattr(torchvision.models, name)(weights=None))
    before = copy.deepcopy(model.state_dict())
    video_model = accelerate(model, SkipConv(threshold=0, block=2, dense_above=1))
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    assert len(list(video_model.converted_layers())) == len(layers) == len(video_model.folded)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in video_model.modules())
    assert {layer.kind for layer in video_model.unconverted} == {"Linear"}
    for frame in frames:
        with torch.no_grad():
            expected = model(frame)
        found = video_model(frame)
        assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert video_model.cost().ratio > 1.1
    assert all(type(layer) is nn.Conv2d for layer in layers)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_what_comes_after_a_reset_is_as_if_there_had_been_nothing(frames: list[Tensor]) -> None:
    torch.manual_seed(0)
    model = seeded(torchvision.models.resnet18(weights=None))
    video_model, fresh = (accelerate(model, SkipConv(threshold=0.1)) for _ in range(2))
    for frame in frames[:3]:
        video_model(frame)
    video_model.reset()
    for frame in frames[2:4]:
        assert torch.equal(video_model(frame), fresh(frame))


def test_key_frames_are_dense_and_nothing_else(frames: list[Tensor]) -> None:
    torch.manual_seed(0)
    model = seeded(torchvision.models.resnet18(weights=None))
    video_model = accelerate(model, SkipConv(threshold=0.3), key_interval=2)
    errors = []
    for frame in frames[:5]:
        with torch.no_grad():
            errors.append((video_model(frame) - model(frame)).abs().max().item())
    assert [error > 1e-3 for error in errors] == [False, True, False, True, False]
    cost = video_model.cost()
    assert [frame.key for frame in cost.latest] == [True, False, True, False, True]
    assert [frame.total.ratio > 1 for frame in cost.latest] == [False, True, False, True, False]


class InPlace(nn.Module):
    """Changes inputs and outputs of its convolutions in place, as many networks do."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.ours = ResidualBlock(4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x), inplace=True)
        y = self.second(x)
        x.mul_(2)
        y += x
        return self.ours(y).neg_()


@pytest.mark.parametrize("reference", ["opened", "every"])
def test_states_survive_what_is_changed_in_place(reference: str) -> None:
    torch.manual_seed(0)
    model = InPlace().eval()
    video_model = accelerate(model, SkipConv(threshold=0, block=2, reference=reference))
    for frame in moving_square(5, 20, 24):
        with torch.no_grad():
            expected = model(frame.clone())
        assert torch.allclose(video_model(frame.clone()).neg_(), expected.neg_(), atol=1e-5)


class Pyramid(nn.Module):
    """One head on several levels, and a second name for its convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(4, 6, 3, padding=1)
        self.again = self.head

    def forward(self, x: Tensor, levels: int = 3) -> list[Tensor]:
        sizes = [F.avg_pool2d(x, 2**level) for level in range(levels)]
        return [self.head(sizes[0]), *(self.again(size) for size in sizes[1:])]


def test_a_layer_that_is_called_several_times_keeps_a_state_for_each_call() -> None:
    torch.manual_seed(0)
    model = Pyramid().eval()
    video_model = accelerate(model, SkipConv(threshold=0, block=2))
    assert len(list(video_model.converted_layers())) == 1
    assert video_model.model.again is video_model.model.head
    for frame in moving_square(4, 20, 24):
        for found, expected in zip(video_model(frame), model(frame), strict=True):
            assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("levels", [2, 4])
def test_another_number_of_calls_is_refused(levels: int) -> None:
    video_model = accelerate(Pyramid(), SkipConv(threshold=0))
    frame = torch.zeros(1, 4, 16, 16)
    video_model(frame)
    with pytest.raises(UsageError, match=r"head: .* 3 times .*exclude=\('head',\)"):
        video_model(frame, levels=levels)
    assert video_model(frame, levels=levels)[0].shape == (1, 6, 16, 16), "after an error a video begins"


def test_another_size_is_refused_until_a_reset() -> None:
    video_model = accelerate(nn.Conv2d(3, 4, 3), SkipConv(threshold=0))
    video_model(torch.zeros(1, 3, 20, 20))
    for other in (torch.zeros(1, 3, 20, 21), torch.zeros(2, 3, 20, 20), torch.zeros(1, 3, 20, 20).double()):
        with pytest.raises(UsageError, match=r"1x3x20x20 float32 on cpu: call reset\(\)"):
            video_model(other)
    assert video_model(torch.zeros(1, 3, 20, 20)).shape == (1, 4, 18, 18), "the video goes on"
    assert not video_model.cost().latest[-1].key
    video_model.reset()
    assert video_model(torch.zeros(1, 3, 20, 21)).shape == (1, 4, 18, 19)


def test_another_size_inside_the_network_names_the_layer() -> None:
    class Cropping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(1, 1, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x[:, :, : int(x[0, 0, 0, 0])])

    video_model = accelerate(Cropping(), SkipConv(threshold=0))
    video_model(torch.full((1, 1, 20, 20), 10.0))
    with pytest.raises(UsageError, match=r"layer: input \(1, 1, 12, 20\) after \(1, 1, 10, 20\)"):
        video_model(torch.full((1, 1, 20, 20), 12.0))


class Norms(nn.Module):
    """Batch norms of which one alone may be folded."""

    def __init__(self) -> None:
        super().__init__()
        self.used_twice = nn.Conv2d(3, 4, 3, padding=1)
        self.norm_of_one_use = nn.BatchNorm2d(4)
        self.fit = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.norm_that_fits = nn.BatchNorm2d(4)
        self.without_statistics = nn.Sequential(
            nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU()
        )
        self.norm_before = nn.BatchNorm2d(4)
        self.last = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.used_twice(x)
        x = x + self.norm_of_one_use(x)
        x = self.without_statistics(self.norm_that_fits(self.fit(x)))
        return self.last(self.norm_before(x))


def test_batch_norms_are_folded_where_that_changes_nothing() -> None:
    torch.manual_seed(0)
    model = seeded(Norms())
    video_model = accelerate(model, SkipConv(threshold=0))
    assert video_model.folded == ("norm_that_fits",)
    left = {layer.name: layer.reason for layer in video_model.unconverted}
    assert set(left) == {"norm_of_one_use", "without_statistics.1", "norm_before"}
    assert all("could not be folded" in reason for reason in left.values())
    for frame in moving_square(3, 20, 24, channels=3):
        assert torch.allclose(video_model(frame), model(frame), atol=1e-4)


def test_parts_are_folded_where_no_trace_of_the_whole_can_be_had() -> None:
    class Branching(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) if x.mean() > 0 else super().forward(-x)

    class Untraceable(nn.Sequential):
        """Its parts are neighbours, one of which branches."""

    torch.manual_seed(0)
    shared = nn.Conv2d(4, 4, 1)
    branching = Branching(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
    parts = OrderedDict(
        inner=nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3), nn.ReLU()),
        norms=Norms(),
        grow=nn.Conv2d(2, 4, 1),
        neighbours=Untraceable(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), branching),
        twice=nn.Sequential(shared, nn.BatchNorm2d(4), shared, nn.BatchNorm2d(4)),
    )
    model = seeded(Branching(parts))
    frame = torch.randn(1, 3, 9, 9)
    expected = model(frame)
    assert set(fold_batch_norms(model)) == {"inner.1", "norms.norm_that_fits", "neighbours.1"}
    assert torch.allclose(model(frame), expected, atol=1e-4)


def test_what_is_left_is_named_with_the_reason() -> None:
    class Own(nn.Conv2d):
        pass

    hooked = nn.Conv2d(4, 4, 1)
    hooked.register_forward_hook(lambda layer, inputs, output: output * 2)
    layers = OrderedDict(
        own=Own(3, 4, 3),
        hooked=hooked,
        plain=nn.Conv2d(4, 4, 1),
        weighted=nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 1)),
        up=nn.ConvTranspose2d(4, 4, 2, stride=2),
        block=nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU()),
    )
    model = nn.Sequential(layers).eval()
    video_model = accelerate(model, SkipConv(threshold=0), exclude=("block",))
    assert [layer.name for layer in video_model.converted_layers()] == ["plain"]
    left = {layer.name: layer.reason for layer in video_model.unconverted}
    assert list(left)[:3] == ["own", "hooked", "weighted"]
    assert "class of its own" in left["own"] and "hooks" in left["hooked"]
    assert left["up"] == "no nn.Conv2d" and left["block.0"] == "excluded"
    for frame in moving_square(3, 16, 16, channels=3):
        assert torch.allclose(video_model(frame), model(frame), atol=1e-5)
    with pytest.raises(UsageError, match="'plane'"):
        accelerate(model, SkipConv(threshold=0), exclude=("plane",))
    with pytest.raises(UsageError, match="converted already"):
        accelerate(video_model, SkipConv(threshold=0))


def test_layers_that_are_too_cheap_may_stay() -> None:
    model = torchvision.models.mobilenet_v3_small(weights=None)
    video_model = accelerate(model, SkipConv(threshold=0, least_macs_per_sample=20))
    depthwise = {name for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d) and layer.groups > 1}
    left = {layer.name for layer in video_model.unconverted if "too cheap" in layer.reason}
    assert depthwise < left
    assert len(list(video_model.converted_layers())) > 10


def test_outside_of_a_frame_layers_are_plain_convolutions() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3))
    video_model = accelerate(model, SkipConv(threshold=100))
    frame = torch.randn(1, 3, 8, 8, requires_grad=True)
    video_model(frame)
    layer = video_model.model[0]
    assert isinstance(layer, SkipConvolution)
    assert torch.allclose(layer(frame + 1), model(frame + 1), atol=1e-5)
    assert layer(frame).requires_grad and not video_model(frame).requires_grad
    assert list(video_model.model.state_dict()) == list(model.state_dict())


def test_inference_mode_may_change_between_frames() -> None:
    torch.manual_seed(0)
    model = nn.Conv2d(4, 4, 3)
    video_model = accelerate(model, SkipConv(threshold=0, block=2))
    for step, frame in enumerate(moving_square(4, 16, 16)):
        with torch.inference_mode(step % 2 == 0):
            assert torch.allclose(video_model(frame), model(frame), atol=1e-5)
