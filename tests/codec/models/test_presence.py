"""Maps of what is present come back, are cheap where nothing changes, and bytes that are none are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleflow.codec.models.presence import (
    CellMask,
    cells_above,
    decode_presence,
    encode_presence,
    everywhere,
    positions_of,
    presence_bits,
)
from scaleflow.codec.models.quality_symbol import QualityState, decode_quality, encode_quality
from scaleflow.entropy.errors import DamagedSymbolsError
from scaleflow.entropy.symbol_coder import SymbolDecoder, SymbolEncoder
from scaleflow.errors import DataError

_masks = st.lists(st.booleans(), min_size=6, max_size=6).map(lambda held: np.array(held).reshape(2, 3))
_size = (7, 10)


@given(st.lists(st.tuples(_masks, _masks), min_size=1, max_size=4))
def test_maps_come_back(pictures: list[tuple[CellMask, CellMask]]) -> None:
    encoder, before, bits = SymbolEncoder(), (None, None), 0.0
    for motion, residual in pictures:
        expected = presence_bits(motion, before[0]) + presence_bits(residual, before[1], motion)
        written = encode_presence(encoder, motion, before[0]) + encode_presence(encoder, residual, before[1], motion)
        assert written == pytest.approx(expected)
        bits, before = bits + written, (motion, residual)
    data = encoder.finish()
    assert 8 * len(data) <= bits + 16
    decoder, before = SymbolDecoder(data), (None, None)
    for motion, residual in pictures:
        moving = decode_presence(decoder, _size, before[0])
        mended = decode_presence(decoder, _size, before[1], moving)
        assert np.array_equal(moving, motion) and np.array_equal(mended, residual)
        before = moving, mended


@given(st.binary(max_size=24))
def test_any_bytes_are_maps_or_damage(data: bytes) -> None:
    decoder, before = SymbolDecoder(data), None
    try:
        for _ in range(3):
            before = decode_presence(decoder, _size, before)
            assert before.shape == (2, 3)
    except DamagedSymbolsError:
        pass


def test_a_picture_like_the_one_before_costs_little() -> None:
    nothing, all_of_it = np.zeros((7, 12), np.bool_), np.ones((7, 12), np.bool_)
    corner = nothing.copy()
    corner[5:, 9:] = True
    assert presence_bits(nothing, nothing) < 1 and presence_bits(all_of_it, all_of_it) < 1
    assert presence_bits(corner, corner) < 16
    assert presence_bits(corner, None) < 84 + 10
    assert presence_bits(nothing, corner) < 6


def test_masks_are_spread_to_positions() -> None:
    cells = np.array([[True, False], [False, True]])
    spread = positions_of(cells, (6, 5))
    assert spread.shape == (6, 5) and cells_above((6, 5)) == cells.shape == everywhere((6, 5)).shape
    assert spread[:4, :4].all() and spread[4:, 4:].all() and not spread[4:, :4].any() and not spread[:4, 4:].any()


_flags = st.booleans()


@given(st.lists(st.tuples(st.integers(0, 1008), _flags, _flags), min_size=1, max_size=5))
def test_the_quality_says_what_pictures_say(held: list[tuple[int, bool, bool]]) -> None:
    states = [QualityState(*values) for values in held]
    encoder = SymbolEncoder()
    for number, state in enumerate(states):
        encode_quality(encoder, state, states[number - 1] if number else None)
    decoder, previous = SymbolDecoder(encoder.finish()), None
    for state in states:
        previous = decode_quality(decoder, previous)
        assert previous == state


def test_a_change_beyond_what_the_format_knows_is_damage() -> None:
    encoder = SymbolEncoder()
    encode_quality(encoder, QualityState(500 + 4 * 4096), QualityState(500))
    with pytest.raises(DataError, match="damaged picture: quality"):
        decode_quality(SymbolDecoder(encoder.finish()), QualityState(500))
