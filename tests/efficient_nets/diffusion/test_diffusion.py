"""The small diffusion model: schedule, sampler, UNet, restoration of real frames, its files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.clockwork.weights_file import read_adaptor
from scaleflow.efficient_nets.diffusion.ddim import DdimTrajectory
from scaleflow.efficient_nets.diffusion.noise_schedule import NoiseSchedule, Prediction
from scaleflow.efficient_nets.diffusion.residual_block import ResidualBlock
from scaleflow.efficient_nets.diffusion.restoration import RestorationDiffusion
from scaleflow.efficient_nets.diffusion.unet import UNet, UNetConfig, small_unet, tiny_unet
from scaleflow.efficient_nets.diffusion.weights_file import (
    RUN_WEIGHTS,
    TrainedRestoration,
    read_restoration,
    weights_of_run,
    write_restoration,
)
from scaleflow.errors import DataError, UsageError
from tests.efficient_nets.restoration_model import THREE_SCALES, awake, frame, restoration

__all__ = ["frame"]


@pytest.mark.parametrize("prediction", ["v", "noise"])
def test_predictions_name_both_parts_of_a_noisy_sample(prediction: Prediction) -> None:
    schedule = NoiseSchedule(prediction=prediction)
    time = torch.tensor([0.0, 0.2, 0.7, schedule.latest])
    signal, level = schedule.levels(time)
    torch.testing.assert_close(signal.square() + level.square(), torch.ones_like(signal))
    assert signal[0] == 1 and (signal.diff(dim=0) < 0).all()
    clean, noise = torch.randn(2, 4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    noisy = schedule.noisy(clean, noise, time)
    found = schedule.clean_and_noise(schedule.target(clean, noise, time), noisy, time)
    torch.testing.assert_close(found[0], clean, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(found[1][1:], noise[1:], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("prediction", ["v", "noise"])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_a_sampler_that_is_told_the_truth_arrives_there(prediction: Prediction, steps: int) -> None:
    """Whatever it starts from, a network that knows the clean sample leads to it; with few steps, too."""
    schedule = NoiseSchedule(prediction=prediction)
    generator = torch.Generator().manual_seed(2)
    clean, start = torch.randn(2, 2, 3, 4, 4, generator=generator)
    calls = []

    def knowing(sample: Tensor, time: Tensor) -> Tensor:
        calls.append(float(time[0]))
        signal, level = schedule.levels(time)
        noise = (sample[:, :3] - signal * clean) / level
        return schedule.target(clean, noise, time)

    trajectory = DdimTrajectory(schedule, steps, torch.zeros(2, 0, 4, 4))
    torch.testing.assert_close(trajectory.run(knowing, start), clean, atol=1e-3, rtol=1e-3)
    assert calls == sorted(calls, reverse=True) and len(calls) == steps and calls[0] == pytest.approx(schedule.latest)


def test_a_cut_anywhere_is_the_same_network() -> None:
    torch.manual_seed(0)
    unet = UNet(THREE_SCALES)
    awake(unet)
    sample, time = torch.randn(2, 6, 16, 24), torch.tensor([0.2, 0.9])
    with torch.no_grad():
        whole = unet(sample, time)
        for cut in (1, 2):
            outer = unet.enter(sample, time, cut)
            assert outer.features.shape == (2, (8, 12)[cut - 1], 8 >> cut, 12 >> cut)
            inner = unet.inner(outer.features, outer.embedding, cut)
            assert inner.shape == (2, (12, 16)[cut - 1], 16 >> cut, 24 >> cut)
            assert torch.equal(unet.leave(inner, outer, cut), whole)
    assert whole.shape == (2, 3, 16, 24) and not torch.equal(whole, unet(sample, time.flip(0)))


def test_builders() -> None:
    """The small one is of a size to train on a CPU."""
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in UNet(tiny_unet()).parameters()) == 26700
        assert 1e6 < sum(parameter.numel() for parameter in UNet(small_unet()).parameters()) < 3e6
        block = ResidualBlock(4, 6, 8, 2)
        # norms 2*4 and 2*6, convolutions 4*6*9+6 and 6*6*9+6, time 8*6+6, shortcut 4*6+6
        assert sum(p.numel() for p in block.parameters()) == 8 + 12 + 222 + 330 + 54 + 30


def test_real_frames_of_any_size_are_restored_the_same_way_twice(frame: Tensor) -> None:
    model = restoration(THREE_SCALES)
    picture = frame[:, :, :50, 30:101]
    noise = model.noise_for(50, 71, 3)
    assert noise.shape == (1, 3, 56, 72)
    with torch.no_grad():
        first, again = model.restore(picture, 3, noise), model.restore(picture, 3, noise)
        other = model.restore(picture, 3, model.noise_for(50, 71, 4))
    assert first.shape == picture.shape and torch.equal(first, again) and not torch.equal(first, other)
    assert first.min() >= 0 and first.max() <= 1
    with pytest.raises(UsageError, match="pictures of 7x50 are too small: 8 lines and columns are needed"):
        model.restore(picture[:, :, :, :7], 3, noise)


def test_training_lowers_the_loss_on_a_real_frame(frame: Tensor) -> None:
    """Blurring stands for the codec. Late in the schedule the network sees little but the noise that it is to find."""
    torch.manual_seed(0)
    model = RestorationDiffusion(tiny_unet(), NoiseSchedule(prediction="noise"))
    original = torch.cat([frame[:, :, 48:80, left : left + 32] for left in (60, 90, 120, 150)])
    decoded = nn.functional.interpolate(nn.functional.avg_pool2d(original, 4), scale_factor=4.0, mode="bilinear")
    model.measure(original, decoded)
    assert float(model.deviation) == pytest.approx(float((original - decoded).square().mean().sqrt()))
    time, noise = torch.tensor([0.6, 0.7, 0.8, 0.9]), torch.randn(original.shape)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    losses = []
    for _ in range(30):
        loss = model.loss(original, decoded, time, noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    # The untrained network predicts nothing, which is off by the variance of noise: 1.
    assert losses[0] == pytest.approx(1, abs=0.1) and losses[-1] < 0.8


def test_files_say_what_they_are(tmp_path: Path) -> None:
    model = restoration(THREE_SCALES)
    path = tmp_path / RUN_WEIGHTS
    write_restoration(path, TrainedRestoration(model, (2.0, 9.0), 64))
    found = read_restoration(weights_of_run(tmp_path))
    assert found.model.unet.config == THREE_SCALES and (found.quality, found.crop) == ((2.0, 9.0), 64)
    state = found.model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    with pytest.raises(
        DataError, match=r"holds no adaptor of scaleflow diffusion distill \(its format is 'scaleflow-d"
    ):
        read_adaptor(path, "")
    damaged = tmp_path / "damaged" / RUN_WEIGHTS
    damaged.parent.mkdir()
    damaged.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match="is damaged, or no safetensors file"):
        read_restoration(damaged)
    with pytest.raises(UsageError, match="give the folder of a run that scaleflow diffusion train has finished"):
        weights_of_run(tmp_path / "none")


def test_wrong_settings() -> None:
    with pytest.raises(UsageError, match="two scales or more"):
        UNetConfig(channels=(8,), blocks=(1,))
    with pytest.raises(UsageError, match=r"blocks = \(1, 0\): each must be 1 to 64"):
        UNetConfig(channels=(8, 8), blocks=(1, 0))
    with pytest.raises(UsageError, match="prediction 'x' is unknown: use v, noise"):
        NoiseSchedule(prediction="x")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="latest = 1 is outside"):
        NoiseSchedule(latest=1)
    with pytest.raises(UsageError, match="samples of 12x8: sides must be multiples of 8"):
        UNet(THREE_SCALES)(torch.zeros(1, 6, 8, 12), torch.zeros(1))
    with pytest.raises(UsageError, match="steps = 0"):
        DdimTrajectory(NoiseSchedule(), 0, torch.zeros(1, 0, 4, 4))
    with pytest.raises(UsageError, match="inputs = 3, outputs = 3"):
        RestorationDiffusion(UNetConfig(channels=(8, 8), blocks=(1, 1), inputs=3), NoiseSchedule())
