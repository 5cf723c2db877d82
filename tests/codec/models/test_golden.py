"""Fixed weights and input give exactly these bytes; a change here is a change of the format or of the weights."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scaleflow.codec.models.video_model import VideoModel
from scaleflow.entropy.symbol_coder import SymbolEncoder
from tests.codec.models.golden import (
    GOLDEN_CLIPS,
    PAYLOADS_FILE,
    decode_golden,
    encode_golden,
    hash_symbols,
    record_calls,
)

GOLDEN = json.loads(PAYLOADS_FILE.read_text())
PAYLOADS = {clip: [bytes.fromhex(payload) for payload in GOLDEN[clip]["payloads"]] for clip in GOLDEN_CLIPS}


def test_the_weights_are_those(default_model: VideoModel) -> None:
    assert default_model.weights_hash == GOLDEN["weights"]


@pytest.mark.parametrize("clip", GOLDEN_CLIPS)
def test_pictures_give_exactly_these_bytes(default_model: VideoModel, clip: str) -> None:
    assert encode_golden(default_model, clip) == PAYLOADS[clip]


@pytest.mark.parametrize("clip", GOLDEN_CLIPS)
def test_bytes_give_exactly_these_symbols_and_back(
    default_model: VideoModel, clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Integers from end to end: on any machine."""
    calls = record_calls(default_model, clip, PAYLOADS[clip], monkeypatch)
    assert [hash_symbols(of_picture) for of_picture in calls] == GOLDEN[clip]["symbols"]
    for payload, of_picture in zip(PAYLOADS[clip], calls, strict=True):
        encoder = SymbolEncoder()
        for symbols, indices, tables in of_picture:
            encoder.encode(symbols, indices, tables)
        assert encoder.finish() == payload


@pytest.mark.parametrize("clip", GOLDEN_CLIPS)
def test_pictures_look_like_the_originals(default_model: VideoModel, clip: str) -> None:
    decoded = decode_golden(default_model, clip, PAYLOADS[clip])
    for original, picture in zip(GOLDEN_CLIPS[clip](), decoded, strict=True):
        assert np.abs(original[0].astype(float) - picture[0]).mean() < 12


def test_the_still_clip_repeats_a_picture_and_leaves_cells_out() -> None:
    """What its payloads are kept for."""
    sizes = [len(payload) for payload in PAYLOADS["still"]]
    assert sizes[1] < 8 and sizes[3] < sizes[2] < sizes[0]
