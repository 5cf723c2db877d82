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
    """What symbols depend on.

    Attributes:
        integers: weights, biases and gains by the names of their tensors.
        tables: such as ``gaussian`` and ``intra.hyper_tables``.
        hash: what headers name the weights by.
    """

    integers: Mapping[str, Integers]
    tables: Mapping[str, Tables]
    hash: bytes


def read_weights(place: Path) -> Weights:
    """The weights of a file of the format ``scaleflow-1``."""
    with safe_open(place, "np") as content:
        if content.metadata().get("format") != "scaleflow-1":
            raise ValueError(f"{place}: the format is {content.metadata().get('format')!r}, not 'scaleflow-1'")
        tensors = {name: content.get_tensor(name) for name in content.keys()}
    integers = {name: values.astype(np.int64) for name, values in tensors.items() if values.dtype.kind == "i"}
    names = [name.removesuffix(".sizes") for name in integers if name.endswith(".sizes")]
    tables = {name: _tables(integers, name) for name in names}
    return Weights(integers, tables, _hash(tensors))


def _tables(integers: Mapping[str, Integers], name: str) -> Tables:
    """The four tensors of a table."""
    ends = np.cumsum(integers[f"{name}.sizes"])
    rows = np.split(integers[f"{name}.frequencies"], ends[:-1])
    return tables_of(rows, integers[f"{name}.offsets"].tolist(), int(integers[f"{name}.zero_row"][0]))


def _hash(tensors: Mapping[str, NDArray[np.generic]]) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(name for name in tensors if not name.startswith("training.")):
        values = tensors[name]
        digest.update(f"{name} {TYPE_NAMES[values.dtype.name]} {values.shape}\n".encode())
        digest.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
    return digest.digest()
