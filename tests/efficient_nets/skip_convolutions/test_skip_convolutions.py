"""Skip-Convolutions: every form of convolution, sparse beside masked execution, and what small changes come to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from scaleflow.efficient_nets.skip_convolutions.method import SkipConv
from scaleflow.efficient_nets.skip_convolutions.sparse_kernels import compiled
from scaleflow.efficient_nets.video.conversion import accelerate
from scaleflow.errors import UsageError
from tests.efficient_nets.conftest import frames, moving_square, seeded

__all__ = ["frames"]

FORMS: list[dict[str, Any]] = [
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 3, "padding": 1, "bias": False},
    {"kernel_size": 1},
    {"kernel_size": 1, "stride": 2},
    {"kernel_size": 1, "groups": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 7, "stride": 2, "padding": 3},
    {"kernel_size": 2, "stride": 3},
    {"kernel_size": (5, 3), "padding": (0, 2), "stride": (1, 2)},
    {"kernel_size": 4, "padding": "same"},
    {"kernel_size": 3, "padding": 2, "dilation": 2},
    {"kernel_size": 3, "dilation": (3, 1), "groups": 2, "padding": 2},
    {"kernel_size": 3, "padding": 1, "groups": 4},
    {"kernel_size": 3, "padding": 1, "groups": 4, "stride": 2},
    {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
    {"kernel_size": 5, "padding": 2, "padding_mode": "circular", "stride": 2},
    {"kernel_size": 3, "padding": 2, "padding_mode": "replicate", "dilation": 2},
]


def named(form: dict[str, Any]) -> str:
    return ",".join(f"{key[:6]}={value}" for key, value in form.items())


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel")
@pytest.mark.parametrize(
    ("reference", "execution"), [("opened", "sparse"), ("every", "sparse"), ("opened", "compiled")]
)
@pytest.mark.parametrize("form", FORMS, ids=named)
def test_every_form_of_convolution(form: dict[str, Any], reference: str, execution: str) -> None:
    """At threshold 0 as dense; above, sparse as masked. Sizes that no block divides, and a batch of two videos."""
    torch.manual_seed(0)
    model = nn.Conv2d(4, 8, **form)
    for block in (1, 2, 4, 8):
        common = {"block": block, "reference": reference, "dense_above": 1}
        exact = accelerate(model, SkipConv(threshold=0, execution=execution, **common))
        sparse = accelerate(model, SkipConv(threshold=0.3, execution=execution, **common))
        masked = accelerate(model, SkipConv(threshold=0.3, execution="masked", **common))
        for frame in moving_square(4, 21, 27, batch=2):
            expected = model(frame)
            assert torch.allclose(exact(frame), expected, atol=1e-5)
            found = sparse(frame)
            assert found.shape == expected.shape
            assert torch.allclose(found, masked(frame), atol=1e-5)
        ours, theirs = sparse.cost().total, masked.cost().total
        assert (ours.macs, ours.gate_macs, ours.dense_macs) == (theirs.macs, theirs.gate_macs, theirs.dense_macs)
        for network in (exact, sparse):
            later = network.cost().latest[1:]
            assert all(frame.total.macs > frame.total.gate_macs for frame in later), "the square was seen"
            if block <= 2:
                assert all(frame.total.executed_macs < frame.total.dense_macs for frame in later)


@pytest.mark.parametrize("gate", ["input", "output"])
@pytest.mark.parametrize("block", [1, 4])
@pytest.mark.parametrize("execution", ["sparse", "compiled"])
def test_sparse_is_masked_on_a_real_network(gate: str, block: int, execution: str, frames: list[Tensor]) -> None:
    torch.manual_seed(0)
    model = seeded(torchvision.models.resnet18(weights=None))
    common = {"threshold": 0.05, "gate": gate, "block": block}
    sparse = accelerate(model, SkipConv(**common, execution=execution))
    masked = accelerate(model, SkipConv(**common, execution="masked"))
    for frame in frames[:4]:
        found, expected = sparse(frame), masked(frame)
        assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert sparse.cost().total.macs == pytest.approx(masked.cost().total.macs, rel=1e-3)
    assert sparse.cost().total.executed_macs < masked.cost().total.executed_macs


def test_what_is_not_compiled_runs_all_the_same() -> None:
    """In double precision, and in a layer whose padding repeats samples."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1, padding_mode="reflect"))
    for network, video in ((model, moving_square(5, 16, 20)), (model.double(), moving_square(5, 16, 20))):
        video_model = accelerate(network, SkipConv(threshold=0, execution="compiled", dense_above=1))
        for frame in video:
            frame = frame.to(network[0].weight.dtype)
            assert torch.allclose(video_model(frame), network(frame), atol=1e-5)


def test_what_is_not_a_number_is_let_through_compiled_too() -> None:
    video_model = accelerate(nn.Conv2d(2, 3, 3), SkipConv(threshold=1e3, execution="compiled", dense_above=1))
    first, second = torch.zeros(2, 1, 2, 12, 12)
    second[0, 0, 5, 5] = torch.nan
    video_model(first)
    assert video_model(second).isnan().any()


def test_kernels_compile_where_no_cache_can_be_written() -> None:
    """As of a function whose source lies in no file."""
    place: dict[str, Any] = {}
    exec("def double(rows):\n    return rows * 2", place)
    assert compiled(place["double"])(np.arange(3.0)).tolist() == [0, 2, 4]


def test_without_its_compiler_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"needs numba: pip install .*, or use execution = 'sparse'"):
        SkipConv(execution="compiled")


def fade(frames: int, by: float) -> list[Tensor]:
    """The right half of a textured picture gets slowly brighter."""
    ground = torch.randn(1, 4, 16, 24, generator=torch.Generator().manual_seed(1))
    right = torch.zeros(1, 1, 16, 24)
    right[..., 12:] = by
    return [ground + step * right for step in range(frames)]


def test_a_slow_fade_is_lost_by_the_one_reference_and_kept_by_the_other() -> None:
    torch.manual_seed(0)
    model = nn.Conv2d(4, 8, 3, padding=1).requires_grad_(False)
    video = fade(frames=41, by=0.02)  # in all 0.8, by steps of a fifth of the threshold
    first, last = model(video[0]), model(video[-1])
    outputs = {}
    for reference in ("opened", "every"):
        video_model = accelerate(model, SkipConv(threshold=0.1, gate="input", block=4, reference=reference))
        outputs[reference] = [video_model(frame) for frame in video][-1]
    assert torch.allclose(outputs["every"], first, atol=1e-6), "no step was above the threshold"
    lost = (outputs["every"] - last).abs().max()
    kept = (outputs["opened"] - last).abs().max()
    bound = 0.1 * 4 * 9 * model.weight.abs().max()
    assert kept <= bound < lost
    assert kept < lost / 5


@given(
    seed=st.integers(0, 2**16),
    threshold=st.floats(0.05, 0.5),
    block=st.sampled_from([1, 2, 4]),
    form=st.sampled_from(FORMS),
)
@settings(max_examples=40)
def test_no_change_gets_lost_next_to_positions_that_are_computed(
    seed: int, threshold: float, block: int, form: dict[str, Any]
) -> None:
    """What an output has not seen stays below the threshold, whatever its neighbours did meanwhile.

    Every sample rises at its own pace, so that gates open at different times while their kernels overlap. With even
    weights, outputs then differ from dense ones by exactly the change that was not seen.
    """
    torch.manual_seed(seed)
    layer = nn.Conv2d(4, 4, **form).requires_grad_(False)
    nn.init.constant_(layer.weight, 0.5)
    video_model = accelerate(layer, SkipConv(threshold=threshold, gate="input", block=block, dense_above=1))
    frame = torch.randn(1, 4, 12, 14)
    pace = 0.5 * torch.rand(1, 1, 12, 14) ** 4
    bound = 0.5 * threshold * layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
    for _ in range(15):
        assert float((video_model(frame) - layer(frame)).abs().max()) <= bound + 1e-4
        frame = frame + pace


@pytest.mark.parametrize("gate", ["input", "output"])
def test_the_threshold_does_not_depend_on_the_size_of_the_picture(gate: str) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 8, 3).requires_grad_(False)
    for threshold, opens in ((0.99, True), (1.01, False)):
        gain = float(layer.weight.abs().sum()) / 8 if gate == "output" else 1
        for height, width in ((10, 12), (40, 64)):
            video_model = accelerate(layer, SkipConv(threshold=threshold * 0.2 * gain, gate=gate, dense_above=1))
            frame = torch.randn(1, 4, height, width)
            first = video_model(frame)
            assert torch.equal(video_model(frame + 0.2), first) != opens


def test_nearly_open_gates_open_everywhere() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 8, 3, padding=1).requires_grad_(False)
    for dense_above, everywhere in ((0.4, True), (0.6, False)):
        video_model = accelerate(layer, SkipConv(threshold=0.1, gate="input", block=4, dense_above=dense_above))
        frame = torch.randn(1, 4, 16, 16)
        video_model(frame)
        frame = frame + 0.01
        frame[:, :, :8] += 1  # lines of blocks 0 and 1; 0.01 stays below the threshold elsewhere
        frame[:, :, 7] -= 1
        assert torch.allclose(video_model(frame), layer(frame), atol=1e-5) == everywhere
        assert (video_model.cost().latest[-1].total.macs > layer.weight.numel() * 256) == everywhere


def test_what_is_not_a_number_comes_through_and_goes_again() -> None:
    layer = nn.Conv2d(1, 1, 3, padding=1)
    video_model = accelerate(layer, SkipConv(threshold=0.1, block=1))
    frame = torch.zeros(1, 1, 8, 8)
    broken = frame.clone()
    broken[0, 0, 4, 4] = float("nan")
    for each in (frame, broken, frame):
        assert torch.equal(video_model(each).isnan(), layer(each).isnan())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"threshold": -1}, "threshold = -1"),
        ({"threshold": float("nan")}, "threshold = nan"),
        ({"threshold": 0, "block": 3}, "block = 3 is none of 1, 2, 4, 8"),
        ({"threshold": 0, "gate": "norm"}, "gate = 'norm' is none of input, output"),
        ({"threshold": 0, "dense_above": 2}, "dense_above = 2"),
        ({"threshold": 0, "least_macs_per_sample": -1}, "least_macs_per_sample = -1"),
    ],
)
def test_settings_that_make_no_sense(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SkipConv(**wrong)
