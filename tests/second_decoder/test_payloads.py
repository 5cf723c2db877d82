"""Of altered payloads, both decoders make the same symbols or none."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable

import pytest

from scaleflow.codec.conformance.suite import SUITE_FOLDER
from scaleflow.codec.models.capabilities import DecodesSymbols, require_symbols
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.video_model import PictureGeometry, Reference
from scaleflow.entropy.symbol_digest import HashingDecoder
from scaleflow.errors import DataError
from tests.fuzz.mutation import changed_bytes
from tests.second_decoder.fields import Damage
from tests.second_decoder.pictures import PictureDecoder
from tests.second_decoder.stream import read_stream
from tests.second_decoder.weights import Weights


@pytest.fixture(scope="module")
def model() -> DecodesSymbols:
    return require_symbols(load_model())


def first_decoder(
    model: DecodesSymbols, payload: bytes, geometry: PictureGeometry, before: Reference | None
) -> tuple[str | None, Reference | None]:
    """The hash of the symbols, None for damage, and the picture."""
    decoder = HashingDecoder(payload)
    try:
        decoded = model.decode_symbols(decoder, geometry, before)
    except DataError:
        return None, None
    return decoder.digest.hexdigest(), decoded


def second_decoder(decoder: PictureDecoder, payload: bytes, key: bool) -> str | None:
    """The same."""
    try:
        return decoder.decode(payload, key)
    except Damage:
        return None


@pytest.mark.parametrize("name", ["region-scaling", "odd-size", "noise", "narrow"])
def test_altered_payloads(name: str, model: DecodesSymbols, weights_named: Callable[[str], Weights]) -> None:
    stream = read_stream((SUITE_FOLDER / f"{name}.sfv").read_bytes())
    video = stream.header.video
    geometry = PictureGeometry(video.width, video.height, video.bits)
    source, reference = random.Random(name), None
    decoder = PictureDecoder(video, weights_named("default-3"))
    damaged = 0
    for picture in stream.pictures[:4]:
        before = None if picture.key else reference
        for _ in range(4):
            payload = changed_bytes(picture.payload, source)
            found, _ = first_decoder(model, payload, geometry, before)
            assert second_decoder(copy.copy(decoder), payload, picture.key) == found
            damaged += found is None
        found, reference = first_decoder(model, picture.payload, geometry, before)
        assert found is not None and second_decoder(decoder, picture.payload, picture.key) == found
    assert damaged < 16
