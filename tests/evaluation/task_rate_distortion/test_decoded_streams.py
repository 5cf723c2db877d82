"""Decoded pictures as networks are shown them: in the colours of what was coded."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scaleflow.codec.decoding.file import decode_file
from scaleflow.codec.decoding.stream_model import load_stream_model
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError
from scaleflow.evaluation.rate_distortion.clip_files import clip_file
from scaleflow.evaluation.rate_distortion.codecs import parse_codec
from scaleflow.evaluation.rate_distortion.source_clip import open_clip, prepare_clip
from scaleflow.evaluation.task_rate_distortion import decoded_streams
from scaleflow.evaluation.task_rate_distortion.decoded_streams import DecodedPictures, DecodedStream, _loader

COLORS = ((200, 30, 40), (20, 180, 60), (30, 40, 220))
COPY = ("cp", "INPUT", "OUTPUT")


@pytest.fixture
def stream(tmp_path: Path) -> tuple[DecodedStream, DecodedPictures]:
    """Three pictures of one colour each, from PNG files, and a codec without loss: a copy of the y4m."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, color in enumerate(COLORS):
        Image.fromarray(np.full((64, 96, 3), color, np.uint8)).save(folder / f"{number}.png")
    clip = clip_file(folder, Fraction(25))
    lossless = prepare_clip(clip, 3, tmp_path).lossless
    with open_clip(clip) as reader:
        properties = reader.properties
    coded = DecodedStream(lossless, COPY)
    return coded, DecodedPictures(coded, properties, 0, 3)


def test_colours_are_those_of_the_source(stream: tuple[DecodedStream, DecodedPictures]) -> None:
    pictures = list(stream[1]())
    assert [tuple(picture.shape) for picture in pictures] == [(3, 64, 96)] * 3
    for picture, color in zip(pictures, COLORS, strict=True):
        error = (255 * picture - torch.tensor(color).view(3, 1, 1)).abs().max()
        assert error <= 2
    # the same file read by itself, which does not say that these are colours of BT.709
    with open_video(stream[0].decoded(), working_format="rgb") as reader:
        red = np.stack(next(iter(reader)).planes).astype(float)
    assert np.abs(red - np.array(COLORS[0]).reshape(3, 1, 1)).max() > 8


def test_too_few_pictures_are_said(stream: tuple[DecodedStream, DecodedPictures]) -> None:
    coded, whole = stream
    with pytest.raises(DataError, match="holds 3 pictures, not 4"):
        list(DecodedPictures(coded, whole.properties, 0, 4)())
    assert len(list(DecodedPictures(coded, whole.properties, 2, 1)())) == 1
    decoded = coded.decoded()
    coded.close()
    assert not decoded.exists() and coded.decoded().exists()
    coded.close()


def test_what_changed_is_known_of_one_decoding(carphone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coded, decoded = tmp_path / "coded.sfv", tmp_path / "decoded.y4m"
    encode_file(carphone, coded, load_model(), EncodeSettings(quality=10, frames=3))
    decode_file(coded, decoded, load_stream_model)
    codec = parse_codec("a=scaleflow --quality 10")
    load = _loader(codec, codec.settings[0])
    stream = DecodedStream(coded, ("no", "such", "command"), load)
    monkeypatch.setattr(decoded_streams, "CodedVideo", None)
    assert stream.decoded().read_bytes() == decoded.read_bytes()
    first, *others = stream.changes()
    assert first is None and len(others) == 2 and all(change is not None for change in others)
    shown = parse_codec("a=scaleflow --quality 10 --decoder perceptual")
    assert _loader(shown, shown.settings[0]) is None
    stream.close()
