"""What the default model leaves out where nothing moves, and that both sides agree on it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from scaleflow.codec.container import SfvReader
from scaleflow.codec.decoding.analysis import analyse_stream
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.frame_coder import CodedFrame, FrameDecoder, FrameEncoder
from scaleflow.codec.models.scaleflow_codec import ScaleFlowCodec
from scaleflow.codec.models.scaleflow_picture import ScaleFlowReference
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Planes
from scaleflow.errors import DataError

WIDTH, HEIGHT = 256, 192


@pytest.fixture(scope="module")
def ground(clips: dict[str, list[Planes]]) -> Planes:
    """A picture of 256x192, 4x3 cells, tiled of a real one of 192x144."""
    tiled = [
        np.pad(plane, [(0, side // 3) for side in plane.shape], mode="reflect") for plane in clips["bigbuckbunny"][0]
    ]
    return tuple(np.ascontiguousarray(plane) for plane in tiled)


def with_object(ground: Planes, left: int) -> Planes:
    """A striped square on the ground, in the second row of cells."""
    luma = ground[0].copy()
    luma[80:104, left : left + 24] = np.where(np.arange(24) // 6 % 2, 60, 200)
    return luma, *ground[1:]


def code(model: VideoModel, pictures: list[Planes], quality: float) -> list[CodedFrame]:
    """Code a clip, and hold the decoder's pictures against the encoder's."""
    encoder = FrameEncoder(model, width=WIDTH, height=HEIGHT)
    decoder = FrameDecoder(model, width=WIDTH, height=HEIGHT)
    coded = []
    for number, planes in enumerate(pictures):
        frame = encoder.encode(planes, key=number == 0, quality=quality + 10 * (number == 0))
        decoded = decoder.decode(frame.payload, key=frame.key)
        assert all(np.array_equal(ours, theirs) for ours, theirs in zip(frame.planes, decoded, strict=True))
        coded.append(frame)
    return coded


@pytest.mark.parametrize("quality", [0, 8, 24, 40, 53])
def test_a_still_picture_is_repeated(default_model: VideoModel, ground: Planes, quality: float) -> None:
    first, *others = code(default_model, [ground] * 4, quality)
    assert len(others[0].payload) <= 8 and all(len(frame.payload) <= 1 for frame in others[1:])
    for frame in others:
        assert all(np.array_equal(plane, before) for plane, before in zip(frame.planes, first.planes, strict=True))


def test_cells_away_from_a_moving_object_are_repeated(default_model: VideoModel, ground: Planes) -> None:
    pictures = [with_object(ground, 40 + 4 * time) for time in range(4)]
    coded = code(default_model, pictures, 32)
    for before, frame in pairwise(coded):
        differs = frame.planes[0] != before.planes[0]
        assert differs[64:128, :128].any()
        assert not differs[:, 192:].any() and not differs[128:, 128:].any(), "cells that nothing comes near"
    assert np.mean([len(frame.payload) for frame in coded[1:]]) < len(coded[0].payload) / 4


def test_clips_that_move_are_coded_as_before(default_model: VideoModel, clips: dict[str, list[Planes]]) -> None:
    """No picture of this one says that something is absent, so readers of all ages decode its payloads."""
    pictures = clips["mobile"][:3]
    height, width = pictures[0][0].shape
    encoder = FrameEncoder(default_model, width=width, height=height)
    for number, planes in enumerate(pictures):
        encoder.encode(planes, key=number == 0, quality=40)
        reference = encoder._reference
        assert isinstance(reference, ScaleFlowReference)
        assert not reference.quality.has_presence and reference.presence is None


def test_what_is_analysed_is_what_was_coded(default_model: VideoModel, ground: Planes, tmp_path: Path) -> None:
    assert isinstance(default_model, ScaleFlowCodec)
    coded = code(default_model, [with_object(ground, left) for left in (40, 40, 46)], 32)
    geometry = FrameDecoder(default_model, width=WIDTH, height=HEIGHT).geometry
    reference, changing = None, None
    for number, frame in enumerate(coded):
        changing, change = default_model.decode_picture_and_change(frame.payload, geometry, reference)
        reference, analysed = default_model.analyse_picture(frame.payload, geometry, reference)
        assert isinstance(changing, ScaleFlowReference) and isinstance(reference, ScaleFlowReference)
        assert changing.packed.equal(reference.packed)
        assert all(np.array_equal(*planes) for planes in zip(analysed.planes, frame.planes, strict=True))
        total = sum(float(part.sum()) for part in analysed.bits.values())
        assert total == pytest.approx(sum(frame.estimated_bits.values()), rel=0.001, abs=0.1)
        if number == 1:
            assert change is not None and not change.prediction.any() and not change.residual.any()
            assert analysed.flow is not None and not analysed.flow.any()
        if number == 2:
            assert change is not None and change.prediction[4:8, :8].any()
            assert not change.prediction[:, 12:].any() and not change.residual[:, 12:].any()
            assert analysed.bits["motion"][4:8, :8].any() and not analysed.bits["motion"][:, 12:].any()


def test_other_models_refuse_it(ground: Planes, default_model: VideoModel) -> None:
    from scaleflow.codec.models.recurrent.codec import RecurrentCodec
    from scaleflow.codec.models.recurrent.config import RecurrentConfig

    coded = code(default_model, [ground] * 2, 30)
    model = RecurrentCodec(RecurrentConfig())
    model.freeze()
    encoder = FrameEncoder(model, width=WIDTH, height=HEIGHT)
    first = encoder.encode(ground, key=True, quality=40)
    decoder = FrameDecoder(model, width=WIDTH, height=HEIGHT)
    decoder.decode(first.payload, key=True)
    with pytest.raises(DataError, match="no maps of bin widths or of presence"):
        decoder.decode(coded[1].payload, key=False)


def test_files_name_the_feature(tmp_path: Path, carphone: Path, default_model: VideoModel) -> None:
    encode_file(carphone, tmp_path / "coded.sfv", default_model, EncodeSettings(quality=30, frames=3))
    with SfvReader(tmp_path / "coded.sfv") as reader:
        assert reader.header.features == ("presence",)
        assert replace(reader.header, features=()).to_bytes() != reader.header.to_bytes()
    assert len(list(analyse_stream(tmp_path / "coded.sfv"))) == 3
