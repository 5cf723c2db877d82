"""``ssf2020`` with gains: CompressAI's network where gains are one, a codec at every quality otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from compressai.models.video import ScaleSpaceFlow
from safetensors.torch import save_file

from scaleflow.codec.frame_coder import FrameDecoder, FrameEncoder
from scaleflow.codec.models.ssf2020_codec import Ssf2020Codec, load_ssf2020
from scaleflow.codec.models.ssf2020_gains import VariableRateScaleSpaceFlow
from scaleflow.codec.picture import Planes
from scaleflow.errors import DataError

WIDTH, HEIGHT = 101, 77


@pytest.fixture(scope="module")
def network() -> VariableRateScaleSpaceFlow:
    torch.manual_seed(5)
    made = VariableRateScaleSpaceFlow().eval().requires_grad_(False)
    for encoder in (made.img_encoder, made.res_encoder, made.motion_encoder):
        encoder[-1].weight.mul_(30)  # random networks hardly answer at all
    return made


@pytest.fixture(scope="module")
def codec(network: VariableRateScaleSpaceFlow, tmp_path_factory: pytest.TempPathFactory) -> Ssf2020Codec:
    path = tmp_path_factory.mktemp("weights") / "gains.safetensors"
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, path)
    return load_ssf2020(f"ssf2020:{path}")


def pictures(count: int, width: int = WIDTH, height: int = HEIGHT) -> list[Planes]:
    """A random texture of 8x8 squares that moves."""
    generator = np.random.default_rng(1)
    texture = np.kron(generator.integers(0, 256, (3, 24, 24)), np.ones((1, 8, 8))).astype(np.uint8)
    return [tuple(plane[:height, 2 * t : 2 * t + width] for plane in texture) for t in range(count)]


def test_without_gain_it_is_the_network_of_compressai(network: VariableRateScaleSpaceFlow) -> None:
    plain = ScaleSpaceFlow().eval()
    kept = {key: value for key, value in network.state_dict().items() if not key.startswith("gains.")}
    plain.load_state_dict(kept)
    flat = VariableRateScaleSpaceFlow().eval()
    flat.load_state_dict(network.state_dict())
    for gain in flat.gains.values():
        torch.nn.init.zeros_(gain.anchors)
    frames = [torch.from_numpy(np.stack(planes)[None]).float() / 255 for planes in pictures(3, 128, 128)]
    with torch.no_grad():
        expected, found = plain(frames), flat(frames, torch.tensor([20.0]))
    for one, other in zip(expected["x_hat"], found["x_hat"], strict=True):
        assert torch.allclose(one, other, atol=1e-6, rtol=0)
    for one, other in zip(expected["likelihoods"], found["likelihoods"], strict=True):
        assert one.keys() == other.keys()
        for kind in one:
            for part in ("y", "z"):
                assert torch.allclose(one[kind][part], other[kind][part], atol=1e-6, rtol=0)


def test_every_quality_decodes_and_costs_more_than_lower_ones(codec: Ssf2020Codec) -> None:
    assert codec.variable_rate
    sizes = []
    for quality in (0.0, 20.0, 41.3, 63.0):
        encoder = FrameEncoder(codec, width=WIDTH, height=HEIGHT)
        decoder = FrameDecoder(codec, width=WIDTH, height=HEIGHT)
        size = 0
        for number, planes in enumerate(pictures(3)):
            coded = encoder.encode(planes, key=False, quality=quality + number / 2 if quality < 63 else quality)
            decoded = decoder.decode(coded.payload, key=coded.key)
            assert all(np.array_equal(ours, theirs) for ours, theirs in zip(coded.planes, decoded, strict=True))
            size += len(coded.payload)
        sizes.append(size)
    assert sizes == sorted(set(sizes))


def test_damaged_quality_is_an_error(codec: Ssf2020Codec) -> None:
    decoder = FrameDecoder(codec, width=WIDTH, height=HEIGHT)
    with pytest.raises(DataError):
        decoder.decode(b"\xff" * 64, key=True)


def test_gains_belong_to_the_hash(codec: Ssf2020Codec, network: VariableRateScaleSpaceFlow, tmp_path: Path) -> None:
    tensors = {key: value.clone().contiguous() for key, value in network.state_dict().items()}
    tensors["gains.res.anchors"][3, 7] += 0.25
    save_file(tensors, tmp_path / "other.safetensors")
    assert load_ssf2020(f"ssf2020:{tmp_path / 'other.safetensors'}").weights_hash != codec.weights_hash
