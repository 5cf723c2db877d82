"""Refined latents cost less, by the bytes and the error of real pictures, and any decoder decodes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from scaleflow.codec.frame_coder import CodedFrame, FrameDecoder, FrameEncoder
from scaleflow.codec.models.capabilities import require_refinement
from scaleflow.codec.models.picture_order import LatentRefinement, RegionOrder
from scaleflow.codec.models.rate_distortion import rate_distortion_cost
from scaleflow.codec.models.registry import WEIGHTS_FOLDER, load_model, load_scaleflow
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Planes
from scaleflow.errors import UsageError
from scaleflow.roi.coding import RegionSettings
from tests.codec.models.conftest import packaged_clip, read_planes
from tests.codec.stand_in import StandInModel

QUALITY = 24.0
STEPS = 8


@pytest.fixture(scope="module")
def pictures() -> list[Planes]:
    return read_planes(packaged_clip("carphone_pristine.mp4"), 3, (96, 128))


@pytest.fixture
def model() -> Iterator[VideoModel]:
    torch.set_num_threads(1)
    yield load_model()


def code(
    model: VideoModel,
    pictures: list[Planes],
    steps: int = 0,
    region: RegionOrder | None = None,
) -> list[CodedFrame]:
    height, width = pictures[0][0].shape
    encoder = FrameEncoder(model, width=width, height=height)
    refinement = LatentRefinement(steps) if steps else None
    return [
        encoder.encode(planes, key=False, quality=QUALITY, region=region, refinement=refinement) for planes in pictures
    ]


def costs(
    pictures: list[Planes],
    coded: list[CodedFrame],
    weights: NDArray[np.float64] | None = None,
    quality: float = QUALITY,
) -> list[float]:
    """Rate and distortion of each picture, from payloads and decoded planes."""
    found = []
    for source, frame in zip(pictures, coded, strict=True):
        errors = 0.0
        for ours, theirs in zip(source, frame.planes, strict=True):
            step = source[0].shape[0] // ours.shape[0]
            weight = 1.0 if weights is None else weights[::step, ::step]
            errors += float((np.square(ours.astype(float) - theirs) * weight).sum())
        error = torch.tensor([errors / sum(plane.size for plane in source)])
        rate = torch.tensor([8.0 * len(frame.payload) / source[0].size])
        found.append(float(rate_distortion_cost(rate, error, torch.tensor([quality]))))
    return found


def test_key_frames_cost_less(model: VideoModel, pictures: list[Planes]) -> None:
    plain = costs(pictures, code(model, pictures))
    refined = code(model, pictures, STEPS)
    assert [frame.key for frame in refined] == [True, False, False]
    assert costs(pictures, refined)[0] < 0.97 * plain[0]


def test_a_decoder_that_knows_nothing_of_it_shows_what_the_encoder_saw(
    model: VideoModel, pictures: list[Planes], default_model: VideoModel
) -> None:
    height, width = pictures[0][0].shape
    decoder = FrameDecoder(default_model, width=width, height=height)
    for frame in code(model, pictures, STEPS):
        decoded = decoder.decode(frame.payload, key=frame.key)
        assert all(np.array_equal(a, b) for a, b in zip(decoded, frame.planes, strict=True))


def test_it_repeats_to_the_byte(model: VideoModel, pictures: list[Planes]) -> None:
    first, second = ([frame.payload for frame in code(model, pictures, 3)] for _ in range(2))
    assert first == second


def test_more_steps_cost_less(model: VideoModel, pictures: list[Planes]) -> None:
    found = []
    for steps in (1, 4, 16):
        found += costs(pictures[:1], code(model, pictures[:1], steps))
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("mode", ["latent-scaling", "implicit", "both"])
def test_errors_outside_a_region_count_less(model: VideoModel, pictures: list[Planes], mode: str) -> None:
    """Where networks have steered latents already, it takes more steps to gain as much."""
    mask = np.zeros((96, 128), np.uint8)
    mask[32:64, 32:80] = 255
    weights = np.where(mask > 0, 1.0, 8.0**-2)
    region = RegionOrder(mask, RegionSettings(mode, strength=8).coding_for(model))  # type: ignore[arg-type]
    plain = costs(pictures, code(model, pictures, region=region), weights)
    refined = costs(pictures, code(model, pictures, 2 * STEPS, region), weights)
    assert sum(refined) < 0.97 * sum(plain)


def test_in_bfloat16_too(pictures: list[Planes]) -> None:
    model = load_model(precision="bf16")
    plain = costs(pictures[:1], code(model, pictures[:1]))
    assert costs(pictures[:1], code(model, pictures[:1], STEPS))[0] < 0.97 * plain[0]


@pytest.mark.parametrize("steps", [0, -1, 10_001])
def test_numbers_of_steps_out_of_range_are_refused(steps: int) -> None:
    with pytest.raises(UsageError, match=f"steps {steps} is outside 1..10000"):
        LatentRefinement(steps)


def test_other_models_are_refused() -> None:
    with pytest.raises(UsageError, match="refines no latents: use the default model"):
        require_refinement(StandInModel())


def test_weights_without_float_priors_are_refused(tmp_path: Path) -> None:
    tensors = {
        key: value
        for key, value in load_file(WEIGHTS_FOLDER / "default.safetensors").items()
        if not key.startswith("training.")
    }
    save_file(tensors, tmp_path / "small.safetensors", {"format": "scaleflow-1"})
    with pytest.raises(UsageError, match="integer priors only"):
        require_refinement(load_scaleflow(tmp_path / "small.safetensors"))
