"""Clocked UNets: schedules, exactness, adaptors, MACs, distillation; our own UNet and those of diffusers."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from scaleflow.codec.models.weights_hash import hash_tensors
from scaleflow.efficient_nets.clockwork.adaptor import AdaptorConfig, AdaptorShape, IdentityAdaptor, ResidualAdaptor
from scaleflow.efficient_nets.clockwork.clock import Clock, parse_clock
from scaleflow.efficient_nets.clockwork.diffusers_split import DiffusersSplit
from scaleflow.efficient_nets.clockwork.distillation import distillation_loss
from scaleflow.efficient_nets.clockwork.network import ClockworkUNet, trajectory_cost
from scaleflow.efficient_nets.clockwork.split import UNetSplit
from scaleflow.efficient_nets.clockwork.weights_file import TrainedAdaptor, read_adaptor, write_adaptor
from scaleflow.efficient_nets.diffusion.unet import UNet, UNetConfig, tiny_unet
from scaleflow.errors import DataError, UsageError
from tests.efficient_nets.restoration_model import THREE_SCALES, frame, restoration

__all__ = ["frame"]


def numbers(full: tuple[bool, ...]) -> list[int]:
    """Steps of the adaptor, counted from 1 as in the paper's tables."""
    return [step for step, is_full in enumerate(full, 1) if not is_full]


@pytest.mark.parametrize(
    ("clock", "adapted"),
    [
        (Clock(), [2, 4, 6, 8]),
        (Clock(pattern="last"), [5, 6, 7, 8]),
        (Clock(pattern="middle"), [3, 4, 5, 6]),
        (Clock(period=4), [2, 3, 4, 6, 7, 8]),
        (Clock(period=4, pattern="last"), [3, 4, 5, 6, 7, 8]),
        (Clock(first=4), [5, 7]),
        (Clock(first=6, pattern="middle"), [7]),
        (Clock(period=1), []),
        (Clock(period=1, pattern="last"), []),
        (Clock(first=9), []),
    ],
)
def test_schedules_of_eight_steps(clock: Clock, adapted: list[int]) -> None:
    assert numbers(clock.full_steps(8)) == adapted


def test_clocks_as_people_type_them() -> None:
    assert parse_clock("4") == Clock(period=4)
    assert parse_clock("pattern=last first=2") == Clock(first=2, pattern="last")
    assert parse_clock(str(Clock(3, 2, "middle"))) == Clock(3, 2, "middle")
    for text, words in (
        ("0", "period = 0 must be a whole number from 1 on"),
        ("two", "period = 'two' is no whole number"),
        ("first=0", "first = 0 must be"),
        ("pattern=odd", "pattern 'odd' is unknown: use alternating, last, middle"),
        ("rate=2", "expected a number such as 2, or period, first, pattern as in period=2"),
        ("period=2 period=3", "expected a number"),
        ("", "expected a number"),
    ):
        if text:
            with pytest.raises(UsageError, match=words):
                parse_clock(text)
    with pytest.raises(UsageError, match="steps = 0"):
        Clock().full_steps(0)


def test_a_clock_of_one_is_the_plain_network_bit_for_bit(frame: Tensor) -> None:
    model = restoration(THREE_SCALES)
    picture = frame[:, :, :48, 40:104]
    noise = model.noise_for(48, 64, 0)
    with torch.no_grad():
        plain = model.restore(picture, 4, noise)
        for cut in (1, 2):
            clocked = ClockworkUNet(UNetSplit(model.unet, cut), Clock(period=1))
            assert torch.equal(model.restore(picture, 4, noise, clocked.reset(4)), plain)
            skipping = ClockworkUNet(UNetSplit(model.unet, cut), Clock(period=2))
            other = model.restore(picture, 4, noise, skipping.reset(4))
            assert not torch.equal(other, plain)
            # and again, from a new start, nothing of the last trajectory is left
            assert torch.equal(model.restore(picture, 4, noise, skipping.reset(4)), other)


def test_between_full_steps_the_low_resolution_is_that_of_the_last_one() -> None:
    model = restoration(THREE_SCALES)
    unet = model.unet
    first, second = torch.randn(2, 1, 6, 16, 16)
    time = torch.tensor([0.5])
    clocked = ClockworkUNet(UNetSplit(unet), Clock(period=3)).reset(3)
    with torch.no_grad():
        before = unet.enter(first, time, 1)
        kept = unet.inner(before.features, before.embedding, 1)
        assert torch.equal(clocked(first, time), unet(first, time))
        now = unet.enter(second, time - 0.1, 1)
        for _ in range(2):
            assert torch.equal(clocked(second, time - 0.1), unet.leave(kept, now, 1))


def test_misuse_is_named() -> None:
    clocked = ClockworkUNet(UNetSplit(restoration().unet), Clock())
    sample, time = torch.zeros(1, 6, 16, 16), torch.zeros(1)
    with pytest.raises(UsageError, match=r"trajectory of 0 steps: call reset\(steps\)"):
        clocked(sample, time)
    clocked.reset(2)(sample, time)
    with pytest.raises(UsageError, match=r"gets \(1, 8, 4, 8\) after \(1, 8, 4, 4\): call reset"):
        clocked(torch.zeros(1, 6, 16, 32), time)
    for cut in (0, 2):
        with pytest.raises(UsageError, match="can be cut behind the first 1 to 1"):
            UNetSplit(restoration().unet, cut)
    with pytest.raises(UsageError, match="Linear: has no down_blocks and up_blocks"):
        DiffusersSplit(nn.Linear(2, 2))
    with pytest.raises(UsageError, match="adaptor: width = 0"):
        AdaptorConfig(width=0)


@pytest.mark.parametrize(("cut", "stride", "size"), [(1, 2, (16, 24)), (2, 2, (24, 40)), (1, 1, (16, 16))])
def test_a_learned_adaptor_starts_as_the_identity(cut: int, stride: int, size: tuple[int, int]) -> None:
    """Of any size: with a cut at the second scale and 24 lines, its strides do not divide the sides."""
    torch.manual_seed(1)
    unet = UNet(THREE_SCALES)
    with torch.no_grad():
        _, low = UNetSplit(unet, cut).full(torch.randn(2, 6, *size), torch.rand(2))
    shape = AdaptorShape.of(low)
    assert shape == AdaptorShape((8, 12)[cut - 1], (12, 16)[cut - 1], 32, 2)
    adaptor = ResidualAdaptor(shape, AdaptorConfig(width=8, stride=stride))
    made = adaptor(low.inputs, low.outputs, low.embedding)
    assert torch.equal(made, IdentityAdaptor()(low.inputs, low.outputs, low.embedding))
    nn.init.normal_(adaptor.leave.weight)
    made = adaptor(low.inputs, low.outputs, low.embedding)
    assert made.shape == low.outputs.shape
    for other in (
        adaptor(low.inputs.flip(-1), low.outputs, low.embedding),
        adaptor(low.inputs, low.outputs.flip(-1), low.embedding),
    ):
        assert not torch.equal(other, made)


def test_macs_by_hand() -> None:
    """Two scales of 8 and 12 channels, a block each, squares of 2x2, on 16x16: 64 places outside, 16 within."""
    model = restoration(tiny_unet())
    time = 8 * 32 + 32 * 32
    outside = (
        *(64 * 24 * 8 * 9, time),  # conv_in, time embedding
        *(64 * 2 * 8 * 8 * 9, 32 * 8),  # a block on the way down
        16 * 8 * 8 * 9,  # downsampling
        *(64 * (20 * 8 + 8 * 8) * 9, 64 * 20 * 8, 32 * 8),  # on the way up: 12 + 8 channels to 8
        *(64 * (16 * 8 + 8 * 8) * 9, 64 * 16 * 8, 32 * 8),  # 8 + 8 to 8
        64 * 8 * 12 * 9,  # conv_out
    )
    within = (
        *(16 * (8 * 12 + 12 * 12) * 9, 16 * 8 * 12, 32 * 12),  # on the way down
        *(16 * 2 * 12 * 12 * 9, 32 * 12),  # the middle
        *(16 * (24 * 12 + 12 * 12) * 9, 16 * 24 * 12, 32 * 12),  # on the way up: 12 + 12 to 12
        *(16 * (20 * 12 + 12 * 12) * 9, 16 * 20 * 12, 32 * 12),  # 12 + 8 to 12
        64 * 12 * 12 * 9,  # upsampling
    )
    sample, moment = torch.zeros(1, 6, 16, 16), torch.zeros(1)
    cost = trajectory_cost(ClockworkUNet(UNetSplit(model.unet), Clock()), 8, sample, moment)
    assert cost.dense_macs == 8 * (sum(outside) + sum(within))
    assert cost.macs == 8 * sum(outside) + 4 * sum(within)
    shape = AdaptorShape(8, 12, 32, 2)
    adaptor = ResidualAdaptor(shape, AdaptorConfig(width=8, blocks=1))
    # at stride 2 within 4x4: 4 places
    light = 4 * (4 * 8 * 8 + 16 * 12 * 8 + 2 * 8 * 8 * 9 + 16 * 8 * 12) + 32 * 8
    learned = trajectory_cost(ClockworkUNet(UNetSplit(model.unet), Clock(period=4), adaptor), 8, sample, moment)
    assert learned.macs == 8 * sum(outside) + 2 * sum(within) + 6 * light
    with torch.no_grad():  # a real run does what was counted
        assert next(model.parameters()).device.type == "cpu"
        assert model.unet(sample, moment).shape == (1, 3, 16, 16)


def test_distillation_beats_the_identity_on_real_frames(frame: Tensor) -> None:
    """Trajectories of a UNet whose inner part changes with the time; the adaptor learns to follow."""
    model = restoration(UNetConfig(channels=(8, 12), blocks=(1, 1), groups=4)).requires_grad_(False)
    model.unet.time_embedding.linear_2.weight.mul_(10)
    torch.manual_seed(3)
    decoded = torch.cat([frame[:, :, 40:72, left : left + 32] for left in (60, 120)])
    trajectory = model.trajectory(decoded, 4)
    split = UNetSplit(model.unet)
    with torch.no_grad():
        shape = AdaptorShape.of(split.full(*trajectory.inputs(torch.randn(2, 3, 32, 32), 0))[1])
    adaptor = ResidualAdaptor(shape, AdaptorConfig(width=16, blocks=1))
    clocked = ClockworkUNet(split, Clock(), adaptor)
    optimizer = torch.optim.Adam(adaptor.parameters(), 1e-2)
    first = distillation_loss(clocked, trajectory, torch.randn(2, 3, 32, 32))
    assert float(first.loss) == pytest.approx(first.identity, rel=1e-5) and first.identity > 0.01
    for _ in range(20):
        found = distillation_loss(clocked, trajectory, torch.randn(2, 3, 32, 32))
        optimizer.zero_grad()
        found.loss.backward()
        optimizer.step()
    for follow in ("own", "teacher"):
        with torch.no_grad():
            last = distillation_loss(clocked, trajectory, torch.randn(2, 3, 32, 32), follow)
        assert float(last.loss) < 0.85 * last.identity
    with pytest.raises(UsageError, match="no step of 4 is left to the adaptor"):
        distillation_loss(ClockworkUNet(split, Clock(period=1), adaptor), trajectory, torch.randn(2, 3, 32, 32))


def test_adaptors_go_with_the_weights_that_they_learned_from(tmp_path: Path) -> None:
    shape, config = AdaptorShape(8, 12, 32, 2), AdaptorConfig(width=8)
    adaptor = ResidualAdaptor(shape, config)
    teacher = hash_tensors(restoration().state_dict())
    path = tmp_path / "adaptor.safetensors"
    write_adaptor(path, TrainedAdaptor(adaptor, shape, config, teacher, Clock(4, 2, "last"), 6, 1))
    found = read_adaptor(path, teacher)
    assert (found.clock, found.steps, found.cut) == (Clock(4, 2, "last"), 6, 1)
    state = found.adaptor.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in adaptor.state_dict().items())
    with pytest.raises(DataError, match="was distilled from other weights"):
        read_adaptor(path, hash_tensors({}))
    with pytest.raises(UsageError, match="scaleflow diffusion distill RUN makes it"):
        read_adaptor(tmp_path / "none", teacher)


@pytest.fixture(params=["UNet2DModel", "UNet2DConditionModel"])
def diffusers_unet(request: pytest.FixtureRequest) -> tuple[nn.Module, tuple[Any, ...]]:
    """A small UNet of diffusers, and arguments for it."""
    if find_spec("diffusers") is None:
        pytest.skip("needs the package diffusers, which is not installed")
    import diffusers

    torch.manual_seed(0)
    shared: dict[str, Any] = {"sample_size": 16, "in_channels": 4, "out_channels": 4, "norm_num_groups": 4}
    shared |= {"block_out_channels": (8, 12, 16), "layers_per_block": 1}
    sample = torch.randn(2, 4, 16, 16)
    if request.param == "UNet2DModel":
        down, up = ("DownBlock2D",) * 3, ("UpBlock2D",) * 3
        model = diffusers.UNet2DModel(**shared, down_block_types=down, up_block_types=up)
        return model.eval(), (sample,)
    model = diffusers.UNet2DConditionModel(**shared, cross_attention_dim=8, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    )  # fmt: skip
    return model.eval(), (sample, torch.randn(2, 3, 8))


@pytest.mark.parametrize("cut", [1, 2])
def test_unets_of_diffusers_run_by_a_clock(diffusers_unet: tuple[nn.Module, tuple[Any, ...]], cut: int) -> None:
    model, (sample, *text) = diffusers_unet
    names = list(model.state_dict())
    split = DiffusersSplit(model, cut)
    with torch.no_grad():
        plain = [model(sample + step, 900 - step, *text).sample for step in range(3)]
        same = ClockworkUNet(split, Clock(period=1)).reset(3)
        for step in range(3):
            assert torch.equal(same(sample + step, 900 - step, *text).sample, plain[step])
        clocked = ClockworkUNet(split, Clock(period=3)).reset(3)
        outputs = [clocked(sample + step, 900 - step, *text).sample for step in range(3)]
        # with what the low resolution really makes, a step that skips it is a full one
        output, low = split.full(sample, 900, *text)
        given = split.partial(lambda inputs, embedding: low.outputs, sample, 900, *text)
    assert torch.equal(outputs[0], plain[0]) and not torch.equal(outputs[1], plain[1])
    assert torch.equal(given.sample, output.sample)
    assert list(model.state_dict()) == names and torch.equal(model(sample, 900, *text).sample, plain[0])
    cost = trajectory_cost(clocked, 3, sample, torch.tensor(900), *text)
    assert 3 * cost.macs > cost.dense_macs > cost.macs
    adaptor = ResidualAdaptor(AdaptorShape.of(low), AdaptorConfig(width=8))
    learned = ClockworkUNet(split, Clock(), adaptor).reset(2)
    with torch.no_grad():
        for _ in range(2):
            assert learned(sample, 900, *text).sample.shape == sample.shape
