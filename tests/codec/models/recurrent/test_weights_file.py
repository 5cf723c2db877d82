"""Weights of the recurrent model in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from scaleflow.codec.frame_coder import FrameDecoder, FrameEncoder
from scaleflow.codec.models.recurrent.codec import RecurrentCodec
from scaleflow.codec.models.recurrent.weights_file import WEIGHTS_FORMAT, load_recurrent, serialized_weights
from scaleflow.codec.models.registry import load_model
from scaleflow.errors import DataError, UsageError
from tests.codec.models.conftest import packaged_clip, read_planes


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[RecurrentCodec, Path]:
    torch.manual_seed(0)
    codec = RecurrentCodec()
    with torch.no_grad():
        for parameter in codec.network.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.01)
    codec.freeze()
    path = tmp_path_factory.mktemp("weights") / "recurrent.safetensors"
    path.write_bytes(serialized_weights(codec, ("intra: 10 steps",)))
    return codec, path


def test_what_is_loaded_codes_alike(written: tuple[RecurrentCodec, Path]) -> None:
    _, path = written
    assert path.stat().st_size < 20e6
    loaded = load_model("default", weights=path)
    assert isinstance(loaded, RecurrentCodec) and loaded.name == "recurrent" and len(loaded.weights_hash) == 64
    pictures = read_planes(packaged_clip("bikes.mp4"), 2, (80, 112))
    encoder, decoder = (FrameEncoder(loaded, width=112, height=80), FrameDecoder(loaded, width=112, height=80))
    for planes in pictures:
        frame = encoder.encode(planes, key=False, quality=40.0)
        for ours, theirs in zip(frame.planes, decoder.decode(frame.payload, key=frame.key), strict=True):
            assert np.array_equal(ours, theirs)


def test_what_is_loaded_can_be_trained_and_frozen_again(written: tuple[RecurrentCodec, Path]) -> None:
    codec, path = written
    loaded = load_recurrent(path)
    for name, parameter in loaded.network.named_parameters():
        original = dict(codec.network.named_parameters())[name]
        assert torch.allclose(parameter, original, atol=2e-3, rtol=2e-3), name
    before = {key: value.clone() for key, value in loaded.state_dict().items() if ".source." not in key}
    loaded.freeze()
    for key, value in loaded.state_dict().items():
        if key in before and not value.is_floating_point():
            assert torch.equal(value, before[key]), key


def test_other_files_are_refused(written: tuple[RecurrentCodec, Path], tmp_path: Path) -> None:
    _, path = written
    tensors = load_file(path)
    other = tmp_path / "other.safetensors"
    save_file(tensors, other, {"format": "another"})
    with pytest.raises(DataError, match="another"):
        load_recurrent(other)
    del tensors["intra.gain.anchors"]
    save_file(tensors, other, {"format": WEIGHTS_FORMAT})
    with pytest.raises(DataError, match="gain"):
        load_recurrent(other)
    other.write_bytes(b"nothing")
    with pytest.raises(DataError, match="safetensors"):
        load_model("recurrent", weights=other)
    with pytest.raises(UsageError, match="weights"):
        load_model("recurrent")
