"""A hash of the symbols of a picture, by which decoders on different machines are compared."""

from __future__ import annotations

import hashlib

import numpy as np

from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.symbol_coder import Indices, SymbolDecoder, Symbols


class SymbolDigest:
    """SHA-256 over calls of the coder, in their order: of each call all symbols, then the rows of the tables that they
    were coded with, as signed integers of 32 bits, least significant byte first, in row-major order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def update(self, symbols: Symbols, indices: Indices) -> None:
        """Add a call; both have the same shape."""
        self._hash.update(np.ascontiguousarray(symbols, "<i4").tobytes())
        self._hash.update(np.ascontiguousarray(indices, "<i4").tobytes())

    def hexdigest(self) -> str:
        """Of the calls so far, 64 digits."""
        return self._hash.hexdigest()


class HashingDecoder(SymbolDecoder):
    """Decodes, and hashes what it decodes."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.digest = SymbolDigest()

    def decode(self, indices: Indices, tables: FrequencyTables) -> Symbols:
        """See :meth:`scaleflow.entropy.symbol_coder.SymbolDecoder.decode`."""
        symbols = super().decode(indices, tables)
        self.digest.update(symbols, indices)
        return symbols
