"""The integers of a weights file, and its hash: docs/bitstream.md, "Models"."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from tests.second_decoder.symbols import Integers, Tables, tables_of

TYPE_NAMES = {"float16": "torch.float16", "float32": "torch.float32", "int32": "torch.int32", "int64": "torch.int64"}


@dataclass(frozen=True)
class Weights:
    """Tensors by their names.

    Attributes:
        tensors: the integers that symbols depend on.
        hash: what headers name the weights by.
    """

    tensors: Mapping[str, Integers]
    hash: bytes

    def tables(self, name: str) -> Tables:
        """The four tensors of a table."""
        sizes = self.tensors[f"{name}.sizes"].tolist()
        ends = np.cumsum(sizes).tolist()
        frequencies = self.tensors[f"{name}.frequencies"].tolist()
        rows = [frequencies[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        return tables_of(rows, self.tensors[f"{name}.offsets"].tolist(), int(self.tensors[f"{name}.zero_row"][0]))


def read_weights(place: Path) -> Weights:
    """The weights of a file of the format ``scaleflow-1``."""
    with safe_open(place, "np") as content:
        if content.metadata().get("format") != "scaleflow-1":
            raise ValueError(f"{place}: the format is {content.metadata().get('format')!r}, not 'scaleflow-1'")
        tensors = {name: content.get_tensor(name) for name in content.keys()}
    integers = {name: values.astype(np.int64) for name, values in tensors.items() if values.dtype.kind == "i"}
    return Weights(integers, _hash(tensors))


def _hash(tensors: Mapping[str, NDArray[np.generic]]) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(name for name in tensors if not name.startswith("training.")):
        values = tensors[name]
        digest.update(f"{name} {TYPE_NAMES[values.dtype.name]} {values.shape}\n".encode())
        digest.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
    return digest.digest()
