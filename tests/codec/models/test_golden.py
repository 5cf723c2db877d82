"""Fixed weights and input give exactly these bytes; a change here is a change of the format or of the weights."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scaleflow.codec.models.video_model import VideoModel
from scaleflow.entropy.symbol_coder import SymbolEncoder
from tests.codec.models.golden import (
    PAYLOADS_FILE,
    decode_golden,
    encode_golden,
    golden_pictures,
    hash_symbols,
    record_calls,
)

GOLDEN = json.loads(PAYLOADS_FILE.read_text())
PAYLOADS = [bytes.fromhex(payload) for payload in GOLDEN["payloads"]]


def test_the_weights_are_those(default_model: VideoModel) -> None:
    assert default_model.weights_hash == GOLDEN["weights"]


def test_pictures_give_exactly_these_bytes(default_model: VideoModel) -> None:
    assert encode_golden(default_model) == PAYLOADS


def test_bytes_give_exactly_these_symbols_and_back(default_model: VideoModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Integers from end to end: on any machine."""
    calls = record_calls(default_model, PAYLOADS, monkeypatch)
    assert [hash_symbols(of_picture) for of_picture in calls] == GOLDEN["symbols"]
    for payload, of_picture in zip(PAYLOADS, calls, strict=True):
        encoder = SymbolEncoder()
        for symbols, indices, tables in of_picture:
            encoder.encode(symbols, indices, tables)
        assert encoder.finish() == payload


def test_pictures_look_like_the_originals(default_model: VideoModel) -> None:
    for original, decoded in zip(golden_pictures(), decode_golden(default_model, PAYLOADS), strict=True):
        assert np.abs(original[0].astype(float) - decoded[0]).mean() < 12
