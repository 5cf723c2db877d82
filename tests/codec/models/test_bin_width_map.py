"""Maps of bin widths: round trips, a decoder from the specification, cost, and damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scaleflow.codec.models.bin_width_map import WIDEST, BinWidthMap, decode_bin_widths, encode_bin_widths
from scaleflow.codec.models.quality_symbol import QualityState, decode_quality, encode_quality
from scaleflow.codec.models.region_coding import region_of_latents
from scaleflow.entropy.errors import DamagedSymbolsError
from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.symbol_coder import SymbolDecoder, SymbolEncoder
from scaleflow.errors import DataError
from scaleflow.roi.coding import whole_widths
from scaleflow.roi.mask_sources.mask_file import open_mask_file
from tests.roi.conftest import davis, video_of
from tests.second_decoder.fields import Damage
from tests.second_decoder.step_map import StepMap, decode_map
from tests.second_decoder.symbols import SymbolDecoder as SecondSymbolDecoder

__all__ = ["davis"]

Widths = NDArray[np.int32]


def _coded(maps: list[Widths]) -> tuple[bytes, list[float]]:
    """All maps in one payload, each from the one before, and their ideal bits."""
    encoder = SymbolEncoder()
    previous: BinWidthMap | None = None
    costs = []
    for widths in maps:
        previous, bits = encode_bin_widths(widths, previous, encoder)
        costs.append(bits)
    return encoder.finish(), costs


@st.composite
def _maps(draw: st.DrawFn) -> list[Widths]:
    """A few maps of one size: patches on a ground, which change here and there."""
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    maps = [np.full((height, width), draw(st.integers(0, WIDEST)), np.int32)]
    for _ in range(draw(st.integers(0, 4))):
        widths = maps[-1].copy()
        rows, columns = sorted(random.integers(0, height + 1, 2)), sorted(random.integers(0, width + 1, 2))
        widths[slice(*rows), slice(*columns)] = random.integers(0, WIDEST + 1)
        noise = random.random(widths.shape) < draw(st.sampled_from([0.0, 0.1, 1.0]))
        widths[noise] = random.integers(0, WIDEST + 1, int(noise.sum()))
        maps.append(widths)
    return maps


@given(_maps())
def test_maps_come_back_and_a_decoder_from_the_specification_agrees(maps: list[Widths]) -> None:
    payload, _ = _coded(maps)
    decoder, other = SymbolDecoder(payload), SecondSymbolDecoder(payload)
    previous: BinWidthMap | None = None
    specified: StepMap | None = None
    for widths in maps:
        previous = decode_bin_widths(widths.shape, previous, decoder)
        specified = decode_map(other, *widths.shape, specified)
        assert np.array_equal(previous.widths, widths)
        assert specified.widths == {place: int(value) for place, value in np.ndenumerate(widths)}
        assert specified.flags == previous.flags.tolist() and specified.others == previous.others.tolist()


def test_long_use_keeps_counts_small() -> None:
    """Counts are halved many times over, and both sides agree on it."""
    random = np.random.default_rng(0)
    maps = [random.integers(0, 3, (20, 30)).astype(np.int32) for _ in range(12)]
    payload, _ = _coded(maps)
    other, specified = SecondSymbolDecoder(payload), None
    for widths in maps:
        specified = decode_map(other, 20, 30, specified)
        assert specified.widths == {place: int(value) for place, value in np.ndenumerate(widths)}
    assert specified is not None and max(map(sum, specified.flags)) <= 4096


def test_these_bytes_are_the_format() -> None:
    """A change here is a change of the format."""
    y, x = np.mgrid[-4:5, -7:9]
    disc = x * x + y * y < 16
    maps = [np.where(np.roll(disc, shift, 1), 0, 12).astype(np.int32) for shift in (0, 1, 1, 3)]
    payload, _ = _coded(maps)
    assert payload.hex() == "7bfa8340490d4102e09ee0f81a0eed81f2f5f9e07b751f76d41ebf63038867"


def test_real_masks_cost_little(davis: Path) -> None:
    """Moving objects, 480p: the map of a picture takes less than one per cent of a stream of 0.05 bit a pixel."""
    costs = []
    for name in ("blackswan", "soapbox"):
        masks = open_mask_file(davis / "Annotations" / "480p" / name, video_of(854, 480))
        maps = []
        for number in range(8):
            codes = (masks.mask_at(number, 0.0) * 255).round().astype(np.uint8)
            maps.append(whole_widths((1 - region_of_latents(codes, 16)) * 3, 4))
        costs += _coded(maps)[1][1:]
    assert np.mean(costs) < 0.01 * 0.05 * 854 * 480


@given(st.binary(max_size=60), st.integers(1, 6), st.integers(1, 6))
def test_any_bytes_are_a_map_or_damage(data: bytes, height: int, width: int) -> None:
    decoder, previous = SymbolDecoder(data), None
    try:
        for _ in range(2):
            previous = decode_bin_widths((height, width), previous, decoder)
            assert 0 <= previous.widths.min() and previous.widths.max() <= WIDEST
    except (DataError, DamagedSymbolsError):
        pass


@pytest.mark.parametrize("usual", [WIDEST + 1, 300, -1])
def test_a_first_width_out_of_range_is_damage(usual: int) -> None:
    encoder, tables = SymbolEncoder(), FrequencyTables.from_rows([([1] * (WIDEST + 1) + [0], 0)])
    encoder.encode(np.array([usual], np.int32), np.zeros(1, np.uint8), tables)
    payload = encoder.finish()
    with pytest.raises(DataError, match="no map can"):
        decode_bin_widths((2, 2), None, SymbolDecoder(payload))
    with pytest.raises(Damage, match="0 to 24"):
        decode_map(SecondSymbolDecoder(payload), 2, 2, None)


@pytest.mark.parametrize("has_map", [(True,), (False, True, True, False), (True, False, True)])
def test_the_quality_says_where_maps_begin_and_end(has_map: tuple[bool, ...]) -> None:
    states = [QualityState(500 + 40 * number, held) for number, held in enumerate(has_map)]
    encoder = SymbolEncoder()
    for number, state in enumerate(states):
        encode_quality(encoder, state, states[number - 1] if number else None)
    decoder, previous = SymbolDecoder(encoder.finish()), None
    for state in states:
        previous = decode_quality(decoder, previous)
        assert previous == state
