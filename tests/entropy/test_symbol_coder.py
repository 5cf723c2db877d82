"""What goes into the symbol coder comes out, in few bytes, and damage is told or gives other symbols."""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scaleflow.entropy.errors import DamagedSymbolsError
from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.gaussian_tables import gaussian_tables
from scaleflow.entropy.scale_grid import ScaleGrid
from scaleflow.entropy.symbol_coder import SymbolDecoder, SymbolEncoder, _roundest

GRID = ScaleGrid()
SMALLEST, LARGEST = -(2**31), 2**31 - 1


@lru_cache(maxsize=1)
def gaussian() -> FrequencyTables:
    """The tables of the default grid."""
    return gaussian_tables(GRID)


@lru_cache(maxsize=1)
def lopsided() -> FrequencyTables:
    """Short rows far from zero, up to both ends of 32 bits, the last one the zero row."""
    rows = [([3.0, 1.0], 0), ([1.0, 2.0, 3.0, 1e-9], -700), ([1.0] * 40, LARGEST - 39), ([5.0, 1.0, 1.0], SMALLEST)]
    return FrequencyTables.from_rows([*rows, ([1.0, 8.0, 1.0, 1.0], -1)], zero_row=4)


TABLES = {"gaussian": gaussian, "lopsided": lopsided}

values = st.one_of(
    st.integers(-3, 3),
    st.integers(-800, 800),
    st.integers(SMALLEST, LARGEST),
    st.sampled_from([SMALLEST, SMALLEST + 1, SMALLEST + 3, LARGEST - 40, LARGEST - 1, LARGEST]),
)
calls = st.lists(
    st.tuples(st.sampled_from(sorted(TABLES)), st.lists(st.tuples(values, st.integers(0, 103)), max_size=60)),
    max_size=5,
)

REACHES = (1, 3, 11, 30, 200)

GOLDEN = (
    "ffcfc3fd186c5a552f302ed15495e4d9cedb79fc5709cef91eb92c7d628ee40e7cb91b2d0914d4038d64562abc4e3d72c3ce"
    "73eebf46db927812712527fedb06e94854fbdaf43b6b29ac3ab5c25edc263cfffffd6c0000052424bbf2294ab7af04e8bf38"
    "de7b16ffffff17ffff96fbe5ffa553ffff299bffff1c5bfffeedf1a7e2b7bc0089ed7ce62e993127ffb2d3ffffae13ffff1c"
    "25b3ff14d3ffffa6a3fee54b9cabaf74d21ec8bb40000fdce93de2dd251268a591a3f4f771721e5f5023f828c7c14f41084d"
    "ef56000004fbbbe73e1004b912a61de495906ad46fd27c40450daa4765678f39f63666b4872419b86f38fb39da444245c078"
    "0044d7756cd4a9fa05a8809b2bdd4803543ba7b550c0ad4b9c5a2f1634933cf6df9391d687c3ca0927070da49fffff37ff9b"
    "ffff35b6a8c2a4491fa4df82103c62f1958e0a0db28632ba8a467fffffffffff44"
)

Call = tuple[NDArray[np.int32], NDArray[np.uint8], FrequencyTables]


def _arrays(drawn: list[tuple[str, list[tuple[int, int]]]]) -> list[Call]:
    arrays = []
    for name, pairs in drawn:
        tables = TABLES[name]()
        symbols = np.array([symbol for symbol, _ in pairs], dtype=np.int32)
        indices = np.array([index % len(tables) for _, index in pairs], dtype=np.uint8)
        arrays.append((symbols, indices, tables))
    return arrays


def _encode(coded: list[Call]) -> bytes:
    encoder = SymbolEncoder()
    for symbols, indices, tables in coded:
        encoder.encode(symbols, indices, tables)
    return encoder.finish()


def _assert_decodes(data: bytes, coded: list[Call]) -> None:
    decoder = SymbolDecoder(data)
    for symbols, indices, tables in coded:
        decoded = decoder.decode(indices, tables)
        assert decoded.dtype == np.int32
        assert decoded.shape == symbols.shape
        assert np.array_equal(decoded, symbols)


@given(calls)
@example([("gaussian", [(SMALLEST, 0), (LARGEST, 0), (SMALLEST, 1), (LARGEST, 103), (0, 50)])])
@example([("lopsided", [(s, i) for i in range(5) for s in (SMALLEST, -1, 0, 1, LARGEST)])])
@example([("gaussian", []), ("lopsided", [(1, 4)]), ("gaussian", [])])
@settings(deadline=None, max_examples=300)
def test_everything_comes_back(drawn: list[tuple[str, list[tuple[int, int]]]]) -> None:
    coded = _arrays(drawn)
    data = _encode(coded)
    _assert_decodes(data, coded)
    assert not data.endswith(b"\0")
    _assert_decodes(data + b"\0\0\0\0\0", coded)  # zeros behind the end change nothing


@given(st.integers(0, 2**32 - 1), st.integers(0, 2000), st.floats(0.0, 1.0))
@settings(deadline=None, max_examples=100)
def test_heavy_tails_and_runs_of_zeros_come_back(seed: int, count: int, zeros: float) -> None:
    random = np.random.default_rng(seed)
    indices = (random.integers(0, GRID.size, count) * (random.random(count) >= zeros)).astype(np.uint8)
    symbols = np.rint(random.standard_cauchy(count) * 3).clip(SMALLEST, LARGEST).astype(np.int32)
    coded = [(symbols, indices, gaussian())]
    _assert_decodes(_encode(coded), coded)


def test_shapes_strides_and_types_of_indices() -> None:
    random = np.random.default_rng(0)
    symbols = random.integers(-9, 9, (1, 5, 8, 6)).astype(np.int32)
    indices = random.integers(0, 104, (1, 5, 8, 6))
    expected = _encode([(symbols, indices.astype(np.uint8), gaussian())])
    for kind in (np.int16, np.int32, np.int64):
        assert _encode([(symbols, indices.astype(kind), gaussian())]) == expected
    columns = np.asfortranarray(symbols), np.asfortranarray(indices.astype(np.uint8))
    assert _encode([(*columns, gaussian())]) == expected
    odd = (symbols[:, :, ::2, 1::2], indices[:, :, ::2, 1::2].astype(np.uint8), gaussian())
    _assert_decodes(_encode([odd]), [odd])
    one = (np.array(-7, dtype=np.int32), np.array(30, dtype=np.uint8), gaussian())
    _assert_decodes(_encode([one]), [one])


def _golden_calls() -> list[Call]:
    """Of tables that no elementary function has a part in."""
    rows = [
        ([1 << max(0, 20 - abs(s) * 20 // reach) for s in range(-reach, reach + 1)] + [64], -reach) for reach in REACHES
    ]
    tables = FrequencyTables.from_rows(rows, zero_row=0)
    position = np.arange(360)
    symbols = (position * 37 % 23 - 11).astype(np.int32)
    symbols[::45] = [0, 5, -3000, LARGEST, SMALLEST, 1, -1, 70000]
    indices = (position * 29 % len(REACHES)).astype(np.uint8)
    symbols[200:340], indices[200:350] = 0, 0
    return [(symbols[:350], indices[:350], tables), (symbols[350:], indices[350:] % 5, lopsided())]


def test_exact_bytes() -> None:
    """A change of these bytes is a change of the format: every file written before becomes unreadable."""
    coded = _golden_calls()
    assert _encode(coded).hex() == GOLDEN
    _assert_decodes(bytes.fromhex(GOLDEN), coded)


def test_no_symbols_are_no_bytes() -> None:
    none = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.uint8), gaussian()
    assert SymbolEncoder().finish() == b""
    assert _encode([none, none]) == b""
    _assert_decodes(b"", [none])


def test_a_picture_without_motion_costs_one_byte_at_most() -> None:
    symbols, indices = np.zeros(100_000, dtype=np.int32), np.zeros(100_000, dtype=np.uint8)
    assert len(_encode([(symbols, indices, gaussian())] * 8)) <= 1


def test_the_zero_row_is_nearly_ideal() -> None:
    """At the rate of exceptions of its Gaussian, and far above."""
    for probability in (5e-6, 1e-3):
        random = np.random.default_rng(3)
        symbols = (random.random(200_000) < probability) * random.choice([-1, 1], 200_000)
        count = np.count_nonzero(symbols)
        size = 8 * len(_encode([(symbols.astype(np.int32), np.zeros(200_000, dtype=np.uint8), gaussian())]))
        assert size < 32 + 20.5 * count


def test_length_is_that_of_the_tables() -> None:
    """Below two bytes more than the ideal on average, for streams from none to a hundred bytes."""
    random = np.random.default_rng(1)
    excess = []
    for _ in range(1500):
        count = int(random.integers(1, 300))
        indices = random.integers(1, 60, count).astype(np.uint8)
        scales = np.array([GRID.scale(index) for index in indices])
        coded = (np.rint(random.normal(0, 1, count) * scales).astype(np.int32), indices, gaussian())
        data = _encode([coded])
        _assert_decodes(data, [coded])
        excess.append(8 * len(data) - gaussian().bits(coded[0], indices))
    assert np.mean(excess) < 5
    assert max(excess) < 16


def test_long_streams_cost_what_gaussians_cost() -> None:
    random = np.random.default_rng(2)
    indices = np.rint(random.normal(30, 12, 300_000)).clip(0, 80).astype(np.uint8)
    scales = np.array([GRID.scale(index) for index in range(GRID.size)])[indices]
    symbols = np.rint(random.normal(0, 1, len(indices)) * scales).astype(np.int32)
    size = 8 * len(_encode([(symbols, indices, gaussian())]))
    assert size == pytest.approx(gaussian().bits(symbols, indices), rel=1e-3)


@given(st.integers(0, 2**200 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_end_of_a_stream_is_the_roundest_number_of_its_interval(point: int, width: int, above: int) -> None:
    width = max(width, 1)
    low = point - above % width
    found = _roundest(point.to_bytes(25, "big"), low % 2**64, width)
    if low < 0 or low + width > 2**200:
        assert found is None
        return
    assert found is not None
    number = int.from_bytes(found, "big")
    assert low <= number < low + width
    zeros = len(found) - len(found.rstrip(b"\0"))
    coarser = 256 ** (zeros + 1)
    assert -(-low // coarser) * coarser >= low + width or number == 0


def _limited(data: bytes, indices: NDArray[np.uint8], tables: FrequencyTables) -> str:
    start = time.perf_counter()
    try:
        decoded = SymbolDecoder(data).decode(indices, tables)
    except DamagedSymbolsError as error:
        assert "\n" not in str(error)
        return "damage"
    finally:
        assert time.perf_counter() - start < 5
    assert decoded.shape == indices.shape
    return "symbols"


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1), st.integers(1, 3000), st.sampled_from(sorted(TABLES)))
@example(b"\xff" * 300, 0, 3000, "gaussian")
@settings(deadline=None, max_examples=300)
def test_any_bytes_are_damage_or_symbols(data: bytes, seed: int, count: int, name: str) -> None:
    tables = TABLES[name]()
    indices = np.random.default_rng(seed).integers(0, len(tables), count).astype(np.uint8)
    indices[::3] = tables.zero_row
    _limited(data, indices, tables)


def test_damaged_streams_are_damage_or_other_symbols() -> None:
    random = np.random.default_rng(4)
    indices = random.integers(0, 70, 2000).astype(np.uint8)
    symbols = np.rint(random.standard_t(3, 2000) * 4).astype(np.int32)
    data = _encode([(symbols, indices, gaussian())])
    outcomes = set()
    for _ in range(300):
        damaged = bytearray(data[: int(random.integers(0, len(data) + 1))])
        for _ in range(int(random.integers(1, 4))):
            if damaged:
                damaged[int(random.integers(0, len(damaged)))] ^= int(random.integers(1, 256))
        outcomes.add(_limited(bytes(damaged), indices, gaussian()))
    assert outcomes == {"damage", "symbols"}


def test_misuse_is_refused() -> None:
    encoder = SymbolEncoder()
    indices = np.zeros(3, dtype=np.uint8)
    with pytest.raises(TypeError, match="int64: convert them to int32"):
        encoder.encode(np.zeros(3, dtype=np.int64), indices, gaussian())
    with pytest.raises(ValueError, match=r"shape \(4,\) do not fit indices of shape \(3,\)"):
        encoder.encode(np.zeros(4, dtype=np.int32), indices, gaussian())
    with pytest.raises(ValueError, match="104 rows"):
        encoder.encode(np.zeros(3, dtype=np.int32), indices + 104, gaussian())
    with pytest.raises(ValueError, match="-1"):
        SymbolDecoder(b"").decode(np.array([-1]), gaussian())
    with pytest.raises(TypeError, match="float64"):
        SymbolDecoder(b"").decode(np.zeros(3), gaussian())
    assert encoder.finish() == b""
