"""FrameExit: the order of frames, gates that learn when to stop, one by one as all together, what is refused."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from scaleflow.efficient_nets.data.action_clips import spread_frames
from scaleflow.efficient_nets.frame_exit.frame_order import coarse_to_fine
from scaleflow.efficient_nets.frame_exit.network import CascadeOutput, FrameExit, FrameExitConfig
from scaleflow.errors import UsageError


@given(st.integers(1, 200))
def test_every_frame_once_middle_and_ends_first(frames: int) -> None:
    order = coarse_to_fine(frames)
    assert sorted(order) == list(range(frames))
    assert order[0] == frames // 2
    if frames > 3:
        assert order[1:3] == (0, frames - 1)


def test_ten_frames_are_in_the_released_order() -> None:
    assert coarse_to_fine(10) == (5, 0, 9, 2, 7, 4, 6, 3, 8, 1)


def test_early_frames_leave_no_large_gap() -> None:
    seen = sorted(coarse_to_fine(64)[:9])
    assert max(b - a for a, b in itertools.pairwise(seen)) <= 64 / 4


def test_frames_are_spread_over_the_video() -> None:
    assert spread_frames(100, 5) == (0, 25, 50, 74, 99)
    with pytest.raises(UsageError, match="a video of 4 frames is shorter than the 5 that are asked for"):
        spread_frames(4, 5)


class MeanColor(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def videos(number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Red or green; half of them only in the frame that comes third, with grey frames before."""
    labels = torch.randint(0, 2, (number,), generator=generator)
    late = torch.arange(number) % 2 == 1
    video = torch.full((number, 4, 3, 4, 4), 0.5)
    order = coarse_to_fine(4)
    for n in range(number):
        for frame in order[2:] if late[n] else order:
            video[n, frame, int(labels[n])] = 1.0
    return video + 0.02 * torch.randn(video.shape, generator=generator), labels


def test_easy_videos_are_left_early_and_hard_ones_late() -> None:
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    network = FrameExit(MeanColor(), 3, FrameExitConfig(2, frames=4, features=16, gate=8, strictness=0.1))
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(150):
        video, labels = videos(32, generator)
        loss = network.loss(network(video), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()
    video, labels = videos(40, generator)
    exits = [network.classify(one) for one in video]
    right = [int(found.logits.argmax()) == int(label) for found, label in zip(exits, labels, strict=True)]
    assert sum(right) >= 38
    early, late = ([found.frames for found in exits[start::2]] for start in (0, 1))
    assert sum(early) / 20 < 1.5 and sum(late) / 20 > 2.5


def test_one_by_one_is_as_all_together() -> None:
    torch.manual_seed(0)
    network = FrameExit(MeanColor(), 3, FrameExitConfig(3, frames=10, features=8, gate=4)).eval()
    video = torch.rand(2, 10, 3, 4, 4)
    with torch.no_grad():
        output = network(video)
    never, at_once = network.classify(video[1], 1.0), network.classify(video[1], 0.0)
    assert never.frames == 10 and at_once.frames == 1
    assert torch.allclose(never.logits, output.logits[1, -1], atol=1e-6)
    assert torch.allclose(at_once.logits, output.logits[1, 0], atol=1e-6)
    probability = float(torch.sigmoid(output.gates[1, 2]))
    earlier = float(torch.sigmoid(output.gates[1, :2].max()))
    if earlier < probability:
        assert network.classify(video[1], (earlier + probability) / 2).frames == 3


def test_gates_are_taught_by_a_loss_that_grows() -> None:
    config = FrameExitConfig(2, frames=3, strictness=0.1)
    assert [config.allowed_loss(t) for t in range(2)] == pytest.approx([0.1 * math.exp(0.5), 0.1 * math.exp(1)])
    network = FrameExit(MeanColor(), 3, config)
    # Losses of 0.2 are too large for the first gate (0.165), and small enough for the second (0.272).
    logit = -math.log(math.exp(0.2) - 1)
    logits = torch.tensor([[[logit, 0.0]] * 3])
    right = network.loss(CascadeOutput(logits, torch.tensor([[-20.0, 20.0]])), torch.tensor([0]))
    assert float(right) == pytest.approx(0.2, abs=1e-4)
    wrong = network.loss(CascadeOutput(logits, torch.tensor([[20.0, 20.0]])), torch.tensor([0]))
    assert float(wrong) == pytest.approx(0.2 + 10, abs=1e-3)


def test_what_is_refused() -> None:
    network = FrameExit(MeanColor(), 3, FrameExitConfig(2, frames=4, features=8, gate=4))
    with pytest.raises(UsageError, match=r"\(batch, 4, 3, height, width\) is needed"):
        network(torch.rand(1, 5, 3, 4, 4))
    with pytest.raises(UsageError, match=r"call eval\(\) before classify"):
        network.classify(torch.rand(4, 3, 4, 4))
    with pytest.raises(UsageError, match="classes = 1 must be 2 or more"):
        FrameExitConfig(1)
    with pytest.raises(UsageError, match="strictness = 0 must be above 0"):
        FrameExitConfig(2, strictness=0)
