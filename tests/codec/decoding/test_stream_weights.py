"""Streams of other weights than the shipped ones: decoded where a folder holds these, otherwise refused in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import scaleflow
from scaleflow.codec.container import SfvReader
from scaleflow.codec.decoding.stream_model import check_weights, load_stream_model
from scaleflow.codec.decoding.video_decoder import VideoDecoder
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.registry import WEIGHTS_FOLDER, load_model
from scaleflow.codec.models.released_weights import RELEASED_WEIGHTS
from scaleflow.codec.models.weights_folder import FOLDER_VARIABLE, find_weights, hash_of_file
from scaleflow.errors import DataError, UsageError
from tests.cli.conftest import typed

SHIPPED = WEIGHTS_FOLDER / "default.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that differ from the shipped ones in one bias, under a name that says nothing; and files of others."""
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("weights")
    with safe_open(SHIPPED, framework="pt") as file:
        tensors, metadata = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()
    bias = next(key for key in sorted(tensors) if key.startswith("network.intra.") and key.endswith(".bias"))
    tensors[bias] = tensors[bias] + 0.5
    save_file(tensors, place / "some.safetensors", metadata)
    (place / "a-torn.safetensors").write_bytes(SHIPPED.read_bytes()[:1000])
    save_file({"weight": torch.ones(3, dtype=torch.bfloat16)}, place / "b-other.safetensors", {"format": "pt"})
    (place / "default-roi.safetensors").write_bytes((WEIGHTS_FOLDER / "default-roi.safetensors").read_bytes())
    return place


@pytest.fixture(scope="module")
def stream(folder: Path, carphone: Path) -> Path:
    path = folder / "other.sfv"
    encode_file(carphone, path, load_model(weights=folder / "some.safetensors"), EncodeSettings(quality=20, frames=2))
    return path


def luma(stream: Path, weights: Path | None = None) -> list[np.ndarray]:
    with VideoDecoder(stream, weights=weights) as decoder:
        return [frame.planes[0] for frame in decoder]


def test_the_shipped_weights_are_in_the_table() -> None:
    assert hash_of_file(SHIPPED) == load_model().weights_hash
    assert RELEASED_WEIGHTS[load_model().weights_hash].name == "default-3"


def test_the_file_is_found_by_its_hash(
    stream: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = luma(stream, folder / "some.safetensors")
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    found = luma(stream)
    assert len(found) == 2 and all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    with SfvReader(stream) as reader:
        model = load_stream_model(reader.header, weights_folder=folder)
        assert model.weights_hash == reader.header.weights_hash
        with pytest.raises(DataError, match="weights_folder or in SCALEFLOW_WEIGHTS"):
            load_stream_model(reader.header)


def test_commands_take_the_folder(stream: Path, folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "decoded.y4m"
    refused = typed("decode", stream, output)
    (line,) = refused.stderr.strip().splitlines()
    assert refused.code == 1 and not output.exists()
    assert "default-3" in line and "--weights-folder" in line and "SCALEFLOW_WEIGHTS" in line
    assert typed("decode", stream, output, "--weights-folder", folder).code == 0
    assert typed("verify", stream, "--weights-folder", folder).code == 0
    missing = typed("verify", stream, "--weights-folder", folder / "none")
    assert missing.code == 2 and "there is no such folder" in missing.stderr


def test_programs_give_the_folder(stream: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    expected = luma(stream, folder / "some.safetensors")
    with scaleflow.open_decoder(stream, weights_folder=folder) as decoder:
        assert np.array_equal(next(decoder).planes[0], expected[0])
    assert scaleflow.verify(stream, weights_folder=str(folder)).pictures == 2
    assert scaleflow.decode(stream, tmp_path / "decoded.y4m", weights_folder=folder).is_sound
    with pytest.raises(DataError, match="weights_folder"):
        scaleflow.decode(stream, tmp_path / "refused.y4m", weights_folder=tmp_path)
    assert not (tmp_path / "refused.y4m").exists()


def test_a_stream_of_weights_once_shipped_names_their_release(stream: Path) -> None:
    first, released = next(iter(RELEASED_WEIGHTS.items()))
    with SfvReader(stream) as reader:
        header = replace(reader.header, weights_hash=first)
    with pytest.raises(DataError) as refused:
        check_weights(header, load_model())
    line = str(refused.value)
    assert "\n" not in line
    assert f"default-1 (hash {first})" in line and "ScaleFlow 0.1.0" in line and released.command in line


def test_only_weights_of_codecs_are_read(folder: Path) -> None:
    assert find_weights("00" * 32, folder) is None
    assert hash_of_file(folder / "b-other.safetensors") is None
    assert hash_of_file(folder / "a-torn.safetensors") is None
    with pytest.raises(UsageError, match=r"weights_folder .*none: there is no such folder"):
        find_weights("00" * 32, folder / "none")
