"""FFNet: published sizes, any picture, and what is refused."""

from __future__ import annotations

import pytest
import torch

from scaleflow.efficient_nets.networks.ffnet import FFNETS, FFNet, FFNetConfig, ffnet
from scaleflow.efficient_nets.skip_convolutions.method import SkipConv
from scaleflow.efficient_nets.video.conversion import accelerate
from scaleflow.errors import UsageError

PUBLISHED = {
    "ffnet-40s": 13.9,
    "ffnet-54s": 18.0,
    "ffnet-78s": 27.5,
    "ffnet-150": 98.8,
    "ffnet-18": 15.2,
    "ffnet-34": 25.3,
    "ffnet-56": 33.6,
    "ffnet-86": 54.0,
    "ffnet-134": 98.3,
    "ffnet-22s": 7.5,
    "ffnet-30s": 10.4,
}
"""Millions of parameters, with 19 classes."""


@pytest.mark.parametrize(("name", "millions"), PUBLISHED.items())
def test_parameters_are_as_many_as_published(name: str, millions: float) -> None:
    with torch.device("meta"):
        network = ffnet(name, 19)
    assert round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 1) == millions


@pytest.mark.parametrize("name", FFNETS)
def test_every_member_takes_any_size(name: str) -> None:
    with torch.device("meta"):
        assert ffnet(name, 11).eval()(torch.empty(1, 3, 97, 65)).shape == (1, 11, 25, 17)


def test_strided_members_give_an_eighth() -> None:
    with torch.device("meta"):
        network = FFNet(FFNetConfig((1, 1, 1, 1), strided=True), 5).eval()
        assert network(torch.empty(2, 3, 128, 64)).shape == (2, 5, 16, 8)


def test_runs_accelerated_on_video() -> None:
    torch.manual_seed(0)
    network = ffnet("ffnet-10s", 4).eval()
    frames = torch.rand(1, 3, 64, 64).repeat(3, 1, 1, 1)
    frames[2, :, :16, :16] += 0.5
    video = accelerate(network, SkipConv(threshold=0.0))
    with torch.no_grad():
        for frame in frames:
            assert torch.allclose(video(frame[None]), network(frame[None]), atol=1e-4)
    first, second, third = (frame.total.macs / frame.total.dense_macs for frame in video.cost().latest)
    assert first >= 1 and second < 0.1 and third > second


def test_unknown_members_and_wrong_settings() -> None:
    with pytest.raises(UsageError, match="network 'ffnet-41s' is unknown: use ffnet-18"):
        ffnet("ffnet-41s", 19)
    with pytest.raises(UsageError, match=r"blocks = \(1, 1, 1\): 4 numbers from 1 on are needed behind stem 'slim'"):
        FFNetConfig((1, 1, 1))
    with pytest.raises(UsageError, match="up_head = 'D' is none of A, B, C"):
        FFNetConfig((1, 1, 1, 1), up_head="D")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="classes = 0"):
        ffnet("ffnet-10s", 0)
