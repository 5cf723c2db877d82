"""Where bits went and what moved, told from real streams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from scaleflow.codec.container import SfvReader, VideoPacket
from scaleflow.codec.decoding.analysis import analyse_stream
from scaleflow.codec.decoding.file import DecodeSettings, decode_file
from scaleflow.codec.decoding.stream_model import load_stream_model
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.registry import load_model
from scaleflow.errors import DataError, UsageError
from tests.codec.stand_in import StandInModel


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory, carphone: Path) -> Path:
    """Twelve pictures of carphone, 88x72: sizes that are no multiples of a cell."""
    path = tmp_path_factory.mktemp("streams") / "carphone.sfv"
    encode_file(carphone, path, load_model("default"), EncodeSettings(quality=40, frames=12, intra_period=8))
    return path


def test_bits_add_up_to_the_payloads(stream: Path) -> None:
    with SfvReader(stream) as reader:
        sizes = [8 * len(item.payload) for item in reader if isinstance(item, VideoPacket)]
    for number, (picture, size) in enumerate(zip(analyse_stream(stream), sizes, strict=True)):
        kinds = {"intra", "side information"} if number % 8 == 0 else {"motion", "residual", "side information"}
        assert picture.key == (number % 8 == 0)
        assert picture.bits.keys() == kinds
        assert all(part.shape == (5, 6) for part in picture.bits.values())
        assert sum(float(part.sum()) for part in picture.bits.values()) == pytest.approx(size, rel=0.02, abs=24)


def test_pictures_are_those_of_the_decoder(stream: Path, tmp_path: Path) -> None:
    decode_file(stream, tmp_path / "decoded.y4m", load_stream_model, DecodeSettings())
    with av.open(str(tmp_path / "decoded.y4m")) as container:
        for frame, picture in zip(container.decode(video=0), analyse_stream(stream), strict=True):
            assert np.array_equal(frame.to_ndarray(format="yuv420p")[:72], picture.planes[0])


def test_flow_is_in_samples(tmp_path: Path, carphone: Path, ffmpeg: Callable[..., None]) -> None:
    """A window that moves over a picture by 3 samples to the right and 2 up sees its content come from there."""
    ffmpeg("-i", carphone, "-frames:v", 1, "-vf", "scale=352:288", tmp_path / "still.png")
    panned = (
        "-loop",
        1,
        "-i",
        tmp_path / "still.png",
        "-frames:v",
        4,
        "-vf",
        "crop=256:224:20+3*n:40-2*n,format=yuv420p",
    )
    ffmpeg(*panned, tmp_path / "panned.y4m")
    encode_file(tmp_path / "panned.y4m", tmp_path / "panned.sfv", load_model("default"), EncodeSettings(quality=40))
    first, *others = analyse_stream(tmp_path / "panned.sfv")
    assert first.flow is None and first.scale is None
    for picture in others:
        assert picture.flow is not None and picture.scale is not None
        assert picture.flow.shape == (2, 56, 64) and picture.scale.shape == (56, 64)
        assert np.median(picture.flow[0]) == pytest.approx(3, abs=0.5)
        assert np.median(picture.flow[1]) == pytest.approx(-2, abs=0.5)
        assert picture.scale.min() >= 0


def test_damage_is_named(stream: Path, tmp_path: Path) -> None:
    data = bytearray(stream.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "damaged.sfv").write_bytes(data)
    with pytest.raises(DataError, match=r"damaged\.sfv.*byte \d+"):
        list(analyse_stream(tmp_path / "damaged.sfv"))


def test_models_that_do_not_say(tmp_path: Path, carphone: Path) -> None:
    model = StandInModel()
    encode_file(carphone, tmp_path / "other.sfv", model, EncodeSettings(quality=30, frames=2))
    with pytest.raises(UsageError, match="does not say where its bits go"):
        list(analyse_stream(tmp_path / "other.sfv", lambda header: model))
