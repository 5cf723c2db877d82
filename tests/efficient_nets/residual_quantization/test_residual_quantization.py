"""Residual quantization: exact integers, both forms, calibration, chosen widths, training and what it costs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.efficient_nets.residual_quantization.calibration import calibrate
from scaleflow.efficient_nets.residual_quantization.convolution import QuantizedConvolution
from scaleflow.efficient_nets.residual_quantization.int8_kernel import runs_exactly
from scaleflow.efficient_nets.residual_quantization.method import ResidualQuantization
from scaleflow.efficient_nets.residual_quantization.quantizer import UniformQuantizer
from scaleflow.efficient_nets.video.conversion import accelerate
from scaleflow.efficient_nets.video.network import VideoNetwork
from scaleflow.errors import UsageError
from tests.efficient_nets.conftest import frames, moving_square

__all__ = ["frames"]

FORMS: list[dict[str, Any]] = [
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 5, "padding": 2, "stride": 2, "groups": 2},
    {"kernel_size": 3, "padding": 2, "dilation": 2, "padding_mode": "reflect", "bias": False},
]


def calibrated(model: nn.Module, settings: ResidualQuantization, *videos: list[Tensor], **named: Any) -> VideoNetwork:
    network = accelerate(model, settings, **named)
    calibrate(network, *videos)
    return network


def network(channels: int = 4) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU()
    )


def only_layer(video_model: VideoNetwork) -> QuantizedConvolution:
    (layer,) = video_model.converted_layers()
    assert isinstance(layer, QuantizedConvolution)
    return layer


def integer_convolution(layer: nn.Conv2d, codes: Tensor, weights: Tensor) -> Tensor:
    """Of codes, in integer arithmetic of 32 bits: products tap by tap, added up."""
    padded = codes
    if any(layer._reversed_padding_repeated_twice):
        mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
        padded = F.pad(codes, layer._reversed_padding_repeated_twice, mode)
    patches = F.unfold(padded, layer.kernel_size, layer.dilation, 0, layer.stride).to(torch.int32)
    groups = layer.groups
    patches = patches.view(len(codes), groups, -1, patches.shape[-1])
    kernels = weights.to(torch.int32).flatten(1).view(groups, layer.out_channels // groups, -1)
    sums = (kernels[None, :, :, :, None] * patches[:, :, None]).sum(3, dtype=torch.int32)
    return sums.flatten(1, 2)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("bits", [4, 8])
def test_simulated_quantization_is_integer_arithmetic(bits: int, form: dict[str, Any]) -> None:
    """Key frame and residual, recomputed in 32-bit integers from the definition of their codes."""
    torch.manual_seed(0)
    video = moving_square(2, 19, 23)
    dense = nn.Conv2d(4, 8, **form)
    video_model = calibrated(dense, ResidualQuantization(bits=bits), video)
    layer = only_layer(video_model)

    key = layer.key_quantizer
    below = int(key.zero_point.round())
    codes = (video[0] / key.scale).round().clamp(-below, 255 - below)
    weight_step = layer.weight_quantizer(None).scale
    weights = (dense.weight.detach() / weight_step).round().clamp(-127, 127)
    expected = integer_convolution(dense, codes, weights).double() * (key.scale * weight_step.view(1, -1, 1)).double()
    if dense.bias is not None:
        expected = expected + dense.bias.detach().double().view(1, -1, 1)
    found = video_model(video[0]).flatten(2)
    assert torch.allclose(found.double(), expected, rtol=1e-5, atol=1e-6 * float(expected.abs().max()))

    step, largest = layer.residual_quantizer(bits).scale, 2 ** (bits - 1) - 1
    codes = ((video[1] - codes * key.scale) / step).round().clamp(-largest, largest)
    weight_step = layer.weight_quantizer(bits).scale
    weights = (dense.weight.detach() / weight_step).round().clamp(-largest, largest)
    change = integer_convolution(dense, codes, weights).double() * (step * weight_step.view(1, -1, 1)).double()
    found = video_model(video[1]).flatten(2)
    assert torch.allclose(found.double(), expected + change, rtol=1e-5, atol=1e-6 * float(expected.abs().max()))
    assert change.abs().max() > 0


@pytest.mark.skipif(not runs_exactly(), reason="needs VNNI or AMX, and oneDNN's quantized kernels")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("bits", [None, 4, 8])
def test_8_bit_kernels_give_what_the_simulation_gives(bits: int | None, form: dict[str, Any]) -> None:
    torch.manual_seed(0)
    video = moving_square(4, 19, 23, batch=2)
    dense = nn.Conv2d(4, 8, **form)
    simulated, run = (
        calibrated(dense, ResidualQuantization(bits=bits, execution=how), video, key_interval=3)
        for how in ("simulated", "int8")
    )
    for frame in video:
        expected = simulated(frame)
        assert torch.allclose(run(frame), expected, rtol=1e-5, atol=1e-6 * float(expected.abs().max()))


def test_real_frames_lose_less_than_when_each_is_quantized_for_itself(frames: list[Tensor]) -> None:
    """At fewer bit operations: 0, 4 or 8 bits after a key frame of 8, beside 5 bits for every frame."""
    model = network(3)
    with torch.no_grad():
        dense = torch.cat([model(frame) for frame in frames[:4]])
    errors, bops = [], []
    for settings in (ResidualQuantization(bits=(0, 4, 8)), ResidualQuantization(bits=None, key_bits=5)):
        video_model = calibrated(model, settings, frames[:4])
        found = torch.cat([video_model(frame) for frame in frames[:4]])
        errors.append(float((found - dense).square().mean()))
        bops.append(video_model.cost().total.bops)
    assert bops[0] < 0.85 * bops[1]
    assert errors[0] < 0.25 * errors[1]


@pytest.mark.parametrize(
    "settings",
    [
        ResidualQuantization(bits=4),
        ResidualQuantization(bits=None, key_bits=6),
        ResidualQuantization(bits=(0, 4, 8), block=2),
        ResidualQuantization(bits=(4, 8), thresholds=(0.1,), block=1, weight_bits=8),
        ResidualQuantization(bits=5, reference="exact"),
    ],
)
def test_both_forms_agree(settings: ResidualQuantization) -> None:
    clip = torch.stack(moving_square(5, 18, 22, batch=2), 1)
    video_model = calibrated(network(), settings, list(clip.unbind(1)))
    of_clip = video_model.forward_clip(clip)
    costs = video_model.cost()
    video_model.clear_cost()
    for step in range(5):
        assert torch.allclose(video_model(clip[:, step]), of_clip[:, step], atol=1e-5)
    for one, other in zip(costs.latest, video_model.cost().latest, strict=True):
        assert (one.total.macs, one.total.bops) == (other.total.macs, other.total.bops)


def test_widths_follow_the_size_of_the_residual() -> None:
    """Three parts of a picture: one stays, one changes a little and one much; a bit width each, and its cost."""
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 6, 1)
    settings = ResidualQuantization(bits=(0, 4, 8), thresholds=(0.25, 3.0), block=4)
    first = torch.randn(1, 4, 8, 12)
    second = first.clone()
    second[..., 4:8] += torch.tensor([1.0, -1.0, 1.0, -1.0]).view(4, 1, 1) * 0.05
    second[..., 8:] += 1
    video_model = calibrated(layer, settings, [first, second])
    quantized = only_layer(video_model)
    quantized.residual_quantizer(4).scale.fill_(0.05)
    quantized.residual_quantizer(8).scale.fill_(1 / 127)
    key = video_model(first)
    kept = key[..., :4].clone()
    output = video_model(second)
    assert torch.equal(output[..., :4], kept)
    assert (output[..., 4:8] - layer(second)[..., 4:8]).abs().max() < 0.05
    assert (output[..., 8:] - layer(second)[..., 8:]).abs().max() < 0.05
    cost = video_model.cost().latest[-1].total
    policy = 4 * 96 + 96
    assert cost.macs == 2 * 32 * 24 + policy == cost.executed_macs
    assert cost.bops == 32 * 24 * (16 + 64) + policy * 8
    assert cost.dense_bops == 96 * 24 * 1024


def test_bit_operations_of_frames() -> None:
    """8 bits for the key frame and 4 for three others are 28 a MAC on average, as in the paper's arithmetic."""
    video = moving_square(4, 16, 16)
    video_model = calibrated(nn.Conv2d(4, 8, 3, padding=1), ResidualQuantization(bits=4), video, key_interval=4)
    assert video_model.cost().frames == 0, "calibration does not count"
    for frame in video:
        video_model(frame)
    total = video_model.cost().total
    assert total.macs == 4 * 256 * 4 * 8 * 9
    assert total.bops == 28 * total.macs
    assert total.bop_ratio == 1024 / 28


def test_ranges_are_part_of_the_state() -> None:
    video = moving_square(3, 16, 18)
    settings = ResidualQuantization(bits=4)
    fitted = calibrated(network(), settings, video)
    fresh = accelerate(network(), settings)
    with pytest.raises(UsageError, match=r"0: .* no ranges: run calibrate\(network, frames\)"):
        fresh(video[0])
    fresh.load_state_dict(fitted.state_dict())
    for frame in video:
        assert torch.equal(fresh(frame), fitted(frame))
    plain = set(network().state_dict())
    assert plain < set(fitted.model.state_dict())


@pytest.mark.parametrize("clipping", ["mse", "percentile", "largest"])
def test_clipping(clipping: str) -> None:
    """Of a bell curve with one far value, ``mse`` and ``percentile`` clip that value and ``largest`` does not."""
    torch.manual_seed(0)
    frame = torch.randn(1, 1, 128, 128)
    frame[0, 0, 5, 5] = 40
    settings = ResidualQuantization(bits=None, key_bits=4, clipping=clipping)
    quantizer = only_layer(calibrated(nn.Conv2d(1, 1, 1), settings, [frame])).key_quantizer
    codes, step = quantizer(frame)
    error = float((codes * step - frame).square().flatten().sort().values[:-1].mean())
    largest = float((codes * step).max())
    if clipping == "largest":
        assert largest == pytest.approx(40, rel=0.1) and error > 0.3
    else:
        assert largest < 20 and error < 0.15


def test_what_cannot_be_calibrated() -> None:
    with pytest.raises(UsageError, match="videos of two frames or more"):
        calibrated(network(), ResidualQuantization(bits=4), [torch.zeros(1, 4, 8, 8)])
    with pytest.raises(UsageError, match="did not run in the sample frames"):
        calibrated(network(), ResidualQuantization(bits=4))
    with pytest.raises(UsageError, match="no quantized layers"):
        calibrate(VideoNetwork(nn.ReLU()), [])


def test_learned_steps_have_the_gradient_of_the_error() -> None:
    """Beside a difference quotient, where no value changes its code."""
    values = torch.tensor([0.31, -0.52, 1.24, 9.0, -9.0])
    quantizer = UniformQuantizer(4, learned=True)
    quantizer.scale.data.fill_(0.5)
    codes, step = quantizer(values)
    assert codes.tolist() == [1, -1, 2, 7, -7]
    (codes * step).square().sum().backward()
    assert quantizer.scale.grad is not None
    factor = (1 / (5 * 7)) ** 0.5
    inner = sum(2 * code * 0.5 * (code - value / 0.5) for code, value in ((1, 0.31), (-1, -0.52), (2, 1.24)))
    clipped = 2 * (2 * 7 * 0.5 * 7)
    assert quantizer.scale.grad.item() == pytest.approx(factor * (inner + clipped), rel=1e-5)


@pytest.mark.parametrize("scales", ["tracked", "learned"])
def test_training_lowers_the_error_of_quantization(scales: str) -> None:
    model = network()
    clips = torch.stack(moving_square(4, 16, 20, batch=3), 1)
    with torch.no_grad():
        target = model(clips.flatten(0, 1)).unflatten(0, (3, 4))
    settings = ResidualQuantization(bits=2, key_bits=3, scales=scales)
    video_model = calibrated(model, settings, list(clips.unbind(1)))

    def error() -> float:
        with torch.no_grad():
            return float((video_model.eval().forward_clip(clips) - target).square().mean())

    before, steps = error(), {name: value.clone() for name, value in video_model.state_dict().items()}
    optimizer = torch.optim.Adam(video_model.parameters(), 1e-3)
    for _ in range(60):
        loss = (video_model.train().forward_clip(clips) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert error() < 0.85 * before
    moved = [name for name, value in video_model.state_dict().items() if not torch.equal(value, steps[name])]
    if scales == "learned":
        assert [name for name in steps if name.endswith("scale") and name not in moved] == []


def test_tracked_ranges_follow_the_values() -> None:
    video = moving_square(3, 12, 16)
    video_model = calibrated(nn.Conv2d(4, 4, 1), ResidualQuantization(bits=4, clipping="largest"), video)
    layer = only_layer(video_model)
    before = layer.key_quantizer.scale.item()
    clip = 3 * torch.stack(video, 1)
    for _ in range(60):
        video_model.train().forward_clip(clip)
    assert layer.key_quantizer.scale.item() == pytest.approx(3 * before, rel=0.05)
    video_model.eval().forward_clip(torch.stack(video, 1))
    assert layer.key_quantizer.scale.item() == pytest.approx(3 * before, rel=0.05), "not in eval mode"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bits": 9}, "bits = 9 is outside 2..8"),
        ({"bits": 0}, "bits = 0 is outside 2..8"),
        ({"key_weight_bits": 1}, "key_weight_bits = 1"),
        ({"bits": (8, 4), "thresholds": (1,)}, "two or more that rise"),
        ({"bits": (0, 4, 6)}, "give 2 that rise from 0"),
        ({"bits": (0, 4, 8), "thresholds": (1, 0.5)}, "give 2 that rise from 0"),
        ({"bits": 4, "thresholds": (1,)}, "need several bits"),
        ({"block": 3}, "block = 3 is none of 1, 2, 4, 8"),
        ({"clipping": "min"}, "clipping = 'min' is none of mse, percentile, largest"),
        ({"bits": (0, 4, 8), "execution": "int8"}, "runs one width"),
    ],
)
def test_settings_that_make_no_sense(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResidualQuantization(**wrong)
