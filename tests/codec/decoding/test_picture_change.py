"""What a decoder says of changes, on real streams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scaleflow.codec.container import SfvReader
from scaleflow.codec.decoding.stream_decoder import DecodedPicture, StreamDecoder
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.registry import load_model
from scaleflow.errors import UsageError
from tests.codec.conftest import packaged_clip
from tests.codec.stand_in import StandInModel


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Callable[..., None]) -> Path:
    """Five pictures of 160x112: a still ground, on which a window of another picture moves by 4 samples a picture."""
    folder = tmp_path_factory.mktemp("streams")
    ffmpeg("-i", packaged_clip("carphone_pristine.mp4"), "-frames:v", 1, "-vf", "crop=160:112", folder / "ground.png")
    ffmpeg("-i", packaged_clip("bigbuckbunny.mp4"), "-frames:v", 1, "-vf", "scale=320:-2,crop=40:40", folder / "on.png")
    moving = "[0][1]overlay=x=8+4*n:y=60:format=yuv420,format=yuv420p"
    pictures = ("-loop", 1, "-i", folder / "ground.png", "-loop", 1, "-i", folder / "on.png")
    ffmpeg(*pictures, "-filter_complex", moving, "-frames:v", 5, folder / "clip.y4m")
    encode_file(folder / "clip.y4m", folder / "clip.sfv", load_model("default"), EncodeSettings(quality=32))
    return folder / "clip.sfv"


def decode(stream: Path, changes: bool) -> list[DecodedPicture]:
    with SfvReader(stream) as reader:
        events = StreamDecoder(reader.header, load_model("default"), changes=changes).decode(reader)
        return [event for event in events if isinstance(event, DecodedPicture)]


def test_pictures_are_the_same_and_say_where_something_moved(stream: Path) -> None:
    with_changes, plain = decode(stream, True), decode(stream, False)
    assert len(with_changes) == len(plain) == 5
    for ours, theirs in zip(with_changes, plain, strict=True):
        assert theirs.change is None
        assert all(np.array_equal(one, other) for one, other in zip(ours.planes, theirs.planes, strict=True))
    assert with_changes[0].change is None, "a key picture"
    for number, picture in enumerate(with_changes[1:], 1):
        change = picture.change
        assert change is not None and (change.cell, change.size) == (16, (112, 160))
        assert change.prediction.shape == change.residual.shape == (7, 10)
        left = 8 + 4 * number
        window = np.zeros((112, 160), bool)
        window[60:100, left - 4 : left + 40] = True
        inner = window.reshape(7, 16, 10, 16).all((1, 3))
        assert change.prediction[inner].min() > 4
        assert np.quantile(change.prediction[:3], 0.9) < 2 and np.quantile(change.residual[:3], 0.9) < 3
        assert change.residual[3:].max() > change.residual[:2].max()
        assert change.samples(change.prediction).shape == (112, 160)


def test_models_that_do_not_say(tmp_path: Path, carphone: Path) -> None:
    model = StandInModel()
    encode_file(carphone, tmp_path / "other.sfv", model, EncodeSettings(quality=30, frames=2))
    with SfvReader(tmp_path / "other.sfv") as reader, pytest.raises(UsageError, match="does not say what changed"):
        list(StreamDecoder(reader.header, model, changes=True).decode(reader))
