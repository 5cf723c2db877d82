"""Calls of the coder: the second decoder reads what the encoder writes."""

from __future__ import annotations

import numpy as np
import pytest

from scaleflow.entropy.gaussian_tables import gaussian_tables
from scaleflow.entropy.scale_grid import ScaleGrid
from scaleflow.entropy.symbol_coder import SymbolEncoder
from tests.second_decoder.symbols import SymbolDecoder, tables_of


@pytest.mark.parametrize("seed", range(8))
def test_a_decoder_from_the_specification_agrees(seed: int) -> None:
    random = np.random.default_rng(seed)
    grid = ScaleGrid()
    tables = gaussian_tables(grid)
    encoder = SymbolEncoder()
    calls = []
    for count in random.integers(1, 300, 3):
        indices = random.integers(0, grid.size, count) * (random.random(count) < 0.7)
        scales = np.array([grid.scale(index) for index in indices])
        symbols = np.rint(random.standard_t(2, count) * scales).clip(-(2**31), 2**31 - 1).astype(np.int32)
        symbols[:2] = [-(2**31), 2**31 - 1][: len(symbols)]
        encoder.encode(symbols, indices.astype(np.uint8), tables)
        calls.append((indices.tolist(), symbols.tolist()))
    decoder = SymbolDecoder(encoder.finish())
    specified = tables_of([row.tolist() for row in tables.rows], tables.offsets.tolist(), 0)
    for indices, expected in calls:
        assert decoder.call(indices, specified) == expected
