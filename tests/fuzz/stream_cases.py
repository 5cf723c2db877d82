"""Altered streams, read and decoded in every way that the commands have."""

from __future__ import annotations

import io
import json
import random
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from scaleflow.cli import info as info_verb
from scaleflow.codec.container import SfvHeader, SfvReader, SfvWriter
from scaleflow.codec.decoding.file import DecodeSettings, decode_file, verify_file
from scaleflow.codec.decoding.info import read_info
from scaleflow.codec.decoding.stream_model import load_stream_model
from scaleflow.codec.frame_coder import FrameDecoder
from scaleflow.codec.models import registry
from scaleflow.codec.models.recurrent.codec import RecurrentCodec
from scaleflow.codec.models.recurrent.config import RecurrentConfig
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.errors import DataError
from tests.codec.stand_in import StandInModel
from tests.fuzz.harness import Leftover
from tests.fuzz.mutation import changed_bytes
from tests.fuzz.streams import HEIGHT, WIDTH, altered_stream, coded, properties

LARGEST_DECODED = 1 << 17
"""Samples of pictures that cases decode: beyond, a stream is only read."""


class _Pipe(io.RawIOBase):
    """Bytes in which one cannot seek."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(size)

    def seekable(self) -> bool:
        return False


def container_case(source: random.Random, folder: Path) -> None:
    """Read as ``info`` does, from a pipe, from a key frame on; and ask for the model that the header names."""
    data = altered_stream(source)
    path = folder / "in.sfv"
    path.write_bytes(data)
    found = read_info(path)
    json.dumps(info_verb._record(str(path), found))
    "\n".join(info_verb._lines(str(path), found)).encode()
    how = source.randrange(3)
    if how == 0:
        list(SfvReader(_Pipe(data)))  # type: ignore[arg-type]
    elif how == 1:
        with SfvReader(path) as reader:
            key = reader.seek_to_key_frame(source.choice((0, 100, -1, 2**62, -(2**62))))
            list(reader)
            str(key)
    else:
        choose_model(found.header)


def choose_model(header: SfvHeader) -> VideoModel:
    """The stand-in where the header's name and hash are its own; must load nothing but the shipped model."""

    def load(name: str, *, device: str, precision: str, weights: Path | None) -> VideoModel:
        assert name == "default" and weights is None, f"a header led to model {name!r} and weights {weights}"
        return StandInModel()

    with mock.patch.object(registry, "load_model", load):
        model = load_stream_model(header)
    if header.video.width * header.video.height > LARGEST_DECODED:
        raise DataError("the case is too large to be decoded")
    return model


def output_case(source: random.Random, folder: Path) -> None:
    """Decode to a file of any form; nothing but a complete output may stay."""
    path = folder / "in.sfv"
    path.write_bytes(altered_stream(source))
    if source.random() < 0.1:
        verify_file(path, choose_model)
        return
    outputs = folder / "outputs"
    outputs.mkdir()
    name = source.choice(
        (
            "o.y4m",
            "o.y4m",
            "o.yuv",
            "o.yuv",
            "o.mp4",
            "o.mov",
            "o.mkv",
            "o.webm",
            "p/",
            "p%03d.png",
            "j%d.jpg",
            "t%d.tiff",
        )
    )
    settings = DecodeSettings(
        start=source.choice((0.0, 0.0, 0.1, 1e9)),
        duration=source.choice((None, None, 0.2, 1e9)),
        frames=source.choice((None, None, 1, 5)),
        lossless=source.random() < 0.3,
    )
    if name.startswith("t"):
        (outputs / "t7.tiff").write_bytes(b"mine")
        settings = replace(settings, overwrite=source.random() < 0.5)
    before = _files(outputs)
    try:
        decode_file(path, f"{outputs}/{name}", choose_model, settings)
    except BaseException:
        if _files(outputs) != before:
            raise Leftover(f"{sorted(_files(outputs).keys() ^ before.keys())} after a failure") from None
        raise
    strange = [file for file in _files(outputs) if ".partial" in file]
    if strange:
        raise Leftover(f"{strange} beside the output")


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in sorted(folder.rglob("*"))}


@cache
def _models() -> tuple[VideoModel, ...]:
    """The shipped model, and a small one of the recurrent form with random weights."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    small = RecurrentCodec(RecurrentConfig(8, 8, 8, 8, 24))
    with torch.no_grad():
        for parameter in small.network.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.01)
    small.freeze()
    return registry.load_model(), small


@cache
def _payloads(number: int) -> tuple[tuple[bytes, bool], ...]:
    return tuple(coded(_models()[number], 4))


def payload_case(source: random.Random, folder: Path) -> None:
    """Decode altered payloads of the networks, in a stream whose checksums are right, and frame by frame."""
    number = source.choice((0, 0, 0, 1))
    model, payloads = _models()[number], list(_payloads(number))
    for _ in range(source.choice((1, 1, 2))):
        place = source.randrange(len(payloads))
        payload, key = payloads[place]
        how = source.randrange(8)
        if how == 0:
            payload = source.choice(payloads)[0]
        elif how == 1:
            payload = source.randbytes(source.choice((0, 1, 4, len(payload))))
        else:
            payload = changed_bytes(payload, source)
        payloads[place] = payload, key
    path = folder / "in.sfv"
    header = SfvHeader(model.name, model.weights_hash, properties(working_format=model.working_format))
    with SfvWriter(path, header) as writer:
        for place, (payload, key) in enumerate(payloads):
            writer.write_video(payload, "intra" if key else "inter", 40 * place)
    if source.random() < 0.5:
        verify_file(path, lambda header: model)
        return
    decoder = FrameDecoder(model, width=WIDTH, height=HEIGHT)
    for payload, key in payloads:
        try:
            planes: Any = decoder.decode(payload, key=key)
        except DataError:
            decoder.reset()
            return
        assert [plane.shape for plane in planes] == [
            (HEIGHT, WIDTH),
            (HEIGHT // 2, WIDTH // 2),
            (HEIGHT // 2, WIDTH // 2),
        ]
