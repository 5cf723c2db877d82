"""Streams that name ``ssf2020``: decoded where the user names the model or gives its weights, and only then."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from scaleflow.codec.container import SfvHeader, SfvReader
from scaleflow.codec.decoding.stream_model import load_stream_model
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models import ssf2020
from scaleflow.codec.models.ssf2020 import cached_checkpoint, load_network
from scaleflow.codec.models.ssf2020_codec import Ssf2020Codec
from scaleflow.errors import DataError, UsageError
from tests.cli.conftest import typed
from tests.codec.conftest import carphone, ffmpeg
from tests.codec.models.test_ssf2020 import checkpoint, codec, reference_network

__all__ = ["carphone", "checkpoint", "codec", "ffmpeg", "reference_network"]


class _Harmful:
    """A pickle of this writes a file when it is loaded without care."""

    def __init__(self, proof: Path) -> None:
        self._proof = str(proof)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (self._proof, "w")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Torch's cache in an empty folder, and a network that nobody may use."""
    monkeypatch.setattr("torch.hub._hub_dir", str(tmp_path / "hub"))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    return tmp_path


@pytest.fixture(scope="module")
def stream(codec: Ssf2020Codec, carphone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streams") / "ssf.sfv"
    encode_file(carphone, path, codec, EncodeSettings(quality=20, frames=2))
    return path


@pytest.fixture
def header(stream: Path) -> SfvHeader:
    with SfvReader(stream) as reader:
        return reader.header


def test_a_stream_names_no_file(stream: Path, header: SfvHeader) -> None:
    assert header.model == "ssf2020" and b"ssf.pth.tar" not in stream.read_bytes()


def test_the_user_gives_the_checkpoint(stream: Path, checkpoint: Path, tmp_path: Path) -> None:
    outputs = []
    for number, given in enumerate((("--model", f"ssf2020:{checkpoint}"), ("--weights", checkpoint))):
        outputs.append(tmp_path / f"{number}.y4m")
        assert typed("decode", stream, outputs[-1], *given).code == 0
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    assert typed("verify", stream, "--weights", checkpoint).code == 0
    refused = typed("verify", stream)
    (line,) = refused.stderr.strip().splitlines()
    assert refused.code == 1 and "does not come with ScaleFlow: name its checkpoint as --weights" in line
    assert typed("info", stream).code == 0


@pytest.mark.parametrize(
    "name",
    [
        *("ssf2020-1", "ssf2020:/etc/passwd", "ssf2020:~/x", "/etc/passwd", "../x", "https://localhost/x"),
        *("default:/etc/passwd", "default/../x", "Default"),
    ],
)
def test_names_in_headers_lead_nowhere(
    name: str, header: SfvHeader, no_network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = no_network / "proof"
    cached_checkpoint(1).parent.mkdir(parents=True)
    torch.save({"img_encoder": _Harmful(proof)}, cached_checkpoint(1))
    monkeypatch.setattr("torch.load", lambda *_, **__: pytest.fail("a file was opened"))
    with pytest.raises(DataError) as refused:
        load_stream_model(replace(header, model=name))
    assert "\n" not in str(refused.value) and repr(name) in str(refused.value)
    assert ("name model ssf2020-1, or its checkpoint" in str(refused.value)) == (name == "ssf2020-1")
    assert not proof.exists()


def test_code_in_torchs_cache_does_not_run(no_network: Path) -> None:
    proof = no_network / "proof"
    cached_checkpoint(1).parent.mkdir(parents=True)
    torch.save({"img_encoder": _Harmful(proof)}, cached_checkpoint(1))
    with pytest.raises(DataError, match="holds more than tensors and plain values") as refused:
        load_network("ssf2020-1")
    assert "can still be loaded" not in str(refused.value) and str(refused.value).isprintable()
    assert not proof.exists()


def test_downloads_must_have_the_hash_of_their_name(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("torch.hub._hub_dir", str(tmp_path / "hub"))
    content = checkpoint.read_bytes()
    names = [f"ssf2020-mse-1-{part}.pth.tar" for part in ("0a1b2c3d", hashlib.sha256(content).hexdigest()[:8])]
    for number, name in enumerate(names, 1):
        (tmp_path / name).write_bytes(content)
        monkeypatch.setitem(ssf2020.model_urls["ssf2020"]["mse"], number, (tmp_path / name).as_uri())
    with pytest.raises(DataError, match="is not the published file"):
        load_network("ssf2020-1")
    assert not any((tmp_path / "hub" / "checkpoints").iterdir())
    assert np.isfinite(float(load_network("ssf2020-2").img_encoder[0].weight.sum()))
    assert cached_checkpoint(2).read_bytes() == content
    monkeypatch.setitem(ssf2020.model_urls["ssf2020"]["mse"], 3, (tmp_path / "ssf2020-mse-3.pth.tar").as_uri())
    with pytest.raises(DataError, match="names no hash of its content"):
        load_network("ssf2020-3")


def test_streams_of_the_recurrent_model_need_its_weights(header: SfvHeader, tmp_path: Path) -> None:
    named = replace(header, model="recurrent")
    with pytest.raises(DataError, match=r"'recurrent', hash .*: give the file as weights, or its folder"):
        load_stream_model(named)
    with pytest.raises(UsageError, match="there is no such folder"):
        load_stream_model(named, weights_folder=tmp_path / "none")
