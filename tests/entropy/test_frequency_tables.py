"""Integer tables: exact in the range coder, true to their distributions, checked when read from a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import constriction
import numpy as np
import pytest
import torch
from compressai.entropy_models import EntropyBottleneck
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from scaleflow.entropy.factorized_tables import factorized_tables
from scaleflow.entropy.frequency_tables import LARGEST_TABLE, TOTAL, FrequencyTables, integer_frequencies
from scaleflow.entropy.gaussian_tables import gaussian_tables
from scaleflow.entropy.scale_grid import ScaleGrid

weights = st.lists(st.one_of(st.floats(0, 1e9), st.sampled_from([0.0, 1e-300, 1e-20, 1.0, 1e300])), min_size=2).filter(
    lambda drawn: 0 < sum(drawn) < float("inf")
)


@given(weights)
@settings(deadline=None)
def test_frequencies_are_positive_and_proportional(drawn: list[float]) -> None:
    frequencies = integer_frequencies(drawn)
    assert frequencies.min() >= 1
    assert frequencies.sum(dtype=np.int64) == TOTAL
    exact = np.array(drawn) / sum(drawn) * TOTAL
    assert np.abs(frequencies - exact).max() <= 2 * len(drawn) + 1


@given(weights)
@settings(deadline=None)
def test_range_coder_gets_exactly_these_integers(drawn: list[float]) -> None:
    """Float64 carries the integers into constriction: sums are below 2**24, products below 2**48, divided by 2**24.

    So the coder's intervals are a formula of integers, which every platform and every version must give.
    """
    tables = FrequencyTables([integer_frequencies(drawn)], [0])
    row = tables.rows[0].astype(object)
    lefts = [int(c) * (TOTAL - len(row)) // TOTAL + s for s, c in enumerate(np.cumsum([0, *row[:-1]]))] + [TOTAL]
    scale = (2**64 - 1) >> 24
    for symbol in range(len(row)):
        coder = constriction.stream.queue.RangeEncoder()
        coder.encode(np.array([symbol], dtype=np.int32), tables.models[0])
        _, (lower, width) = coder.pos()
        assert lower == scale * lefts[symbol]
        assert width == scale * (lefts[symbol + 1] - lefts[symbol])


@pytest.mark.parametrize("bad", [[1.0], [], [1.0, float("nan")], [1.0, float("inf")], [1.0, -1.0], [0.0, 0.0]])
def test_weights_that_are_no_distribution_are_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="weights must be"):
        integer_frequencies(bad)


@pytest.mark.parametrize(
    ("rows", "offsets", "zero_row", "message"),
    [
        ([], [], None, "there are none"),
        ([[TOTAL - 1, 1]], [0, 0], None, "1 rows do not fit 2 offsets"),
        ([[TOTAL]], [0], None, "at least 2"),
        ([[TOTAL, 0]], [0], None, "positive"),
        ([[TOTAL, 1]], [0], None, "with sum"),
        ([[TOTAL - 1, 1]], [2**31 - 1], None, "32 bits"),
        ([[TOTAL - 1, 1]], [-(2**31) - 1], None, "32 bits"),
        ([[TOTAL - 1, 1]], [0], 1, r"zero_row 1 is outside 0\.\.0"),
        ([[TOTAL - 1, 1]], [0], -2, "zero_row"),
    ],
)
def test_rows_that_are_no_tables_are_refused(
    rows: list[list[int]], offsets: list[int], zero_row: int | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        FrequencyTables([np.array(row, dtype=np.int32) for row in rows], offsets, zero_row)


@pytest.mark.parametrize("zero_row", [None, 0, 2])
def test_tables_survive_a_file(tmp_path: Path, zero_row: int | None) -> None:
    tables = FrequencyTables.from_rows([([1.0, 5.0], -3), ([1.0] * 9, 70000), ([3.0, 1.0, 2.0], -(2**31))], zero_row)
    save_file(tables.to_tensors(), tmp_path / "tables.safetensors")
    read = FrequencyTables.from_tensors(load_file(tmp_path / "tables.safetensors"))
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(tables.rows, read.rows, strict=True))
    assert read.offsets.tolist() == [-3, 70000, -(2**31)]
    assert read.zero_row == zero_row


def _without(name: str) -> Callable[[dict[str, Tensor]], None]:
    return lambda tensors: tensors.__setitem__(name, tensors[name][:0])


@pytest.mark.parametrize(
    "damage",
    [
        *(_without(name) for name in ("frequencies", "sizes", "offsets", "zero_row")),
        lambda tensors: tensors["frequencies"].__setitem__(0, 0),
        lambda tensors: tensors["sizes"].__setitem__(0, -1),
        lambda tensors: tensors["sizes"].__setitem__(0, 2**31 - 1),
        lambda tensors: tensors["zero_row"].__setitem__(0, 7),
        lambda tensors: tensors["offsets"].__setitem__(1, 2**31 - 1),
        lambda tensors: tensors.update(frequencies=tensors["frequencies"].float()),
        lambda tensors: tensors.update(frequencies=tensors["frequencies"][None]),
        lambda tensors: tensors.update(frequencies=torch.ones(LARGEST_TABLE + 1, dtype=torch.int32)),
    ],
)
def test_damaged_tables_are_refused(damage: Callable[[dict[str, Tensor]], None]) -> None:
    tensors = FrequencyTables.from_rows([([1.0, 5.0], -3), ([1.0] * 9, 70000)]).to_tensors()
    FrequencyTables.from_tensors(tensors)
    damage(tensors)
    with pytest.raises(ValueError, match=r"\w{4}"):
        FrequencyTables.from_tensors(tensors)


def test_gaussian_rows_lose_next_to_nothing() -> None:
    """Expected length under the row against the entropy of the Gaussian in unit bins."""
    grid = ScaleGrid()
    tables = gaussian_tables(grid)
    assert len(tables) == grid.size
    assert tables.zero_row == 0
    for index in range(1, grid.size):
        scale, (first, beyond) = grid.scale(index), tables.span(index)
        assert first <= -6 * scale
        assert beyond - 1 == -first
        edges = torch.arange(first, beyond + 1, dtype=torch.float64) - 0.5
        cumulated = 0.5 * torch.special.erfc(-edges / (scale * 2**0.5))
        mass = cumulated.diff().clamp_min(1e-300).numpy()
        symbols = np.arange(first, beyond, dtype=np.int32)
        costs = [tables.bits(symbols[i : i + 1], np.array([index])) for i in range(len(symbols))]
        entropy = float(-(mass * np.log2(mass)).sum())
        assert float((mass * costs).sum()) < entropy * 1.002 + 5e-5


def test_bits_of_escapes() -> None:
    tables = FrequencyTables.from_rows([([1.0, 2.0, 1.0], 5)])  # 5, 6 and the escape
    costs = [tables.bits(np.array([s], dtype=np.int32), np.array([0])) for s in (5, 6, 7, 4, 2**31 - 1, -(2**31))]
    assert costs[0] == pytest.approx(2, abs=1e-4)
    assert costs[1] == pytest.approx(1, abs=1e-4)
    assert costs[2] == pytest.approx(2 + 1, abs=1e-4)
    assert costs[3] == pytest.approx(2 + np.log2(6) + 1, abs=1e-4)
    assert costs[4:] == pytest.approx([2 + np.log2(32 * 33) + 31, 2 + np.log2(33 * 34) + 32], abs=1e-4)
    together = tables.bits(np.array([[5, 6], [7, 4]], dtype=np.int32), np.zeros((2, 2), dtype=np.uint8))
    assert together == pytest.approx(sum(costs[:4]))
    assert tables.bits(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.uint8)) == 0


def _bottleneck(scale: float = 1.0) -> EntropyBottleneck:
    torch.manual_seed(5)
    bottleneck = EntropyBottleneck(12, init_scale=10 * scale)
    with torch.no_grad():
        for bias in bottleneck.biases:
            bias += 0.3 * torch.randn_like(bias)
    return bottleneck.eval().requires_grad_(False)


def test_factorised_rows_are_those_of_the_prior() -> None:
    bottleneck = _bottleneck()
    tables = factorized_tables(bottleneck)
    assert len(tables) == 12
    values = torch.arange(-12, 13).float().expand(1, 12, -1)
    likelihood = bottleneck(values[..., None], training=False)[1][0, :, :, 0].double()
    symbols = values[0].to(torch.int32).numpy()
    channels = np.broadcast_to(np.arange(12)[:, None], symbols.shape)
    expected = -likelihood.log2().numpy()
    assert expected.max() < 16  # all in the tables
    for channel in range(12):
        for place in range(symbols.shape[1]):
            cost = tables.bits(symbols[channel, place], channels[channel, place])
            assert cost == pytest.approx(expected[channel, place], abs=0.02)


@pytest.mark.parametrize("scale", [1e-4, 1e3, 1e6], ids=["one value", "wide", "nearly flat"])
def test_factorised_rows_of_unusual_priors(scale: float) -> None:
    tables = factorized_tables(_bottleneck(scale))
    assert len(tables) == 12
    assert all(row.sum(dtype=np.int64) == TOTAL for row in tables.rows)


def test_a_prior_that_is_not_a_number_is_refused() -> None:
    bottleneck = _bottleneck()
    bottleneck.matrices[1][3] = float("nan")
    with pytest.raises(ValueError, match="channel 3"):
        factorized_tables(bottleneck)


@pytest.mark.parametrize("arguments", [{"smallest": 0.0}, {"steps_per_octave": 0}, {"size": 0}, {"size": 257}])
def test_grids_that_make_no_sense_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(arguments)))):
        ScaleGrid(**arguments)
