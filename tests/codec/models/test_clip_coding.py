"""The codec as a module: what it makes of clips of tensors is what the bitstream makes of them, and it learns."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest
import torch

import scaleflow
from scaleflow.codec.models import inter_decisions
from scaleflow.codec.models.scaleflow_codec import ScaleFlowCodec
from scaleflow.codec.video import color_tensors
from scaleflow.codec.video.color_tensors import planes_to_rgb, rgb_to_planes
from scaleflow.codec.video.reader import open_video
from tests.codec.conftest import carphone, ffmpeg

__all__ = ["carphone", "ffmpeg"]


@pytest.fixture(scope="module")
def model() -> ScaleFlowCodec:
    loaded = scaleflow.load_model("default")
    assert isinstance(loaded, ScaleFlowCodec)
    return loaded


@pytest.fixture(scope="module")
def pictures(carphone: Path) -> list[tuple[np.ndarray, ...]]:
    """Three pictures of 88x72, whose height is no multiple of a cell."""
    with open_video(carphone, threads=1) as reader:
        return [picture.planes for picture, _ in zip(reader, range(3), strict=False)]


def clip_of(pictures: list[tuple[np.ndarray, ...]]) -> tuple[torch.Tensor, torch.Tensor]:
    luma = torch.stack([torch.from_numpy(planes[0])[None] for planes in pictures])[None].float() / 255
    chroma = torch.stack([torch.from_numpy(np.stack(planes[1:])) for planes in pictures])[None].float() / 255
    return luma, chroma


def test_bits_and_pictures_are_those_of_the_bitstream(
    model: ScaleFlowCodec, pictures: list[tuple[np.ndarray, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the encoder leaves nothing out."""
    monkeypatch.setattr(inter_decisions, "LEAST_BITS", 0.0)
    monkeypatch.setattr(inter_decisions.Trial, "keep", lambda trial, bits, errors: trial.tried)
    model.eval()
    with torch.no_grad():
        coded = model(clip_of(pictures), torch.tensor([30.0]))
    encoder = scaleflow.FrameEncoder(model, width=88, height=72)
    for number, planes in enumerate(pictures):
        frame = encoder.encode(planes, key=number == 0, quality=30.0)
        # Means in floating point move a symbol now and then, which the pictures that follow inherit.
        errors = [
            np.square(shown - planes[0].astype(np.float64)).mean()
            for shown in (coded.planes[0][0, number, 0].numpy() * 255, frame.planes[0])
        ]
        assert errors[0] == pytest.approx(errors[1], rel=0.03)
        assert float(coded.bits[0, number]) == pytest.approx(8 * len(frame.payload), rel=0.01, abs=16)


def test_gradients_reach_every_network(model: ScaleFlowCodec, pictures: list[tuple[np.ndarray, ...]]) -> None:
    model.train()
    luma, chroma = clip_of(pictures[:2])
    coded = model((luma, chroma), torch.tensor([20.0]))
    (coded.bits_per_pixel + 1000 * (coded.planes[0] - luma).square().mean()).backward()
    for part in ("intra.analysis", "motion.analysis", "motion.synthesis", "residual.analysis", "residual.synthesis"):
        gradients = [p.grad for name, p in model.network.named_parameters() if name.startswith(part)]
        assert any(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients), part
    model.eval()


def test_shapes_are_named(model: ScaleFlowCodec) -> None:
    with pytest.raises(scaleflow.UsageError, match=r"planes of shapes \[\(1, 3, 8, 8\)\]"):
        model((torch.rand(1, 3, 8, 8),), torch.tensor([20.0]))
    with pytest.raises(scaleflow.UsageError, match=r"quality of shape \(2,\)"):
        model((torch.rand(1, 1, 1, 16, 16), torch.rand(1, 1, 2, 8, 8)), torch.tensor([20.0, 30.0]))


def test_colours_come_back() -> None:
    assert doctest.testmod(color_tensors).failed == 0
    colours = torch.rand(1, 2, 3, 1, 1, generator=torch.Generator().manual_seed(1)).expand(-1, -1, -1, 6, 8)
    for matrix in ("bt709", "smpte170m"):
        assert torch.allclose(planes_to_rgb(*rgb_to_planes(colours, matrix), matrix), colours, atol=1e-5)
    with pytest.raises(scaleflow.UsageError, match="H and W even"):
        rgb_to_planes(torch.rand(1, 1, 3, 5, 4))
