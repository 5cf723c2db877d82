"""Throughput and overhead of the symbol coder beside other coders, on the same symbols in the same run.

    python -m benchmarks.entropy_coder [--symbols 1000000] [--rates 0.6 3.2] [--repeats 5]

Symbols are rounded Gaussians whose standard deviations are log-normal, as hyperpriors predict them, with the median set
so that the ideal code length is the rate asked for. Every coder gets the symbols, and the index of each symbol's scale
on the grid, as arrays and gives them back as an array; whatever it needs in between (lists, cumulative distributions)
is part of its time. The ideal is the exact Gaussian probability of each symbol at its scale on the grid, zero-mean.

All coders run on one thread. Times are the process's own, without the moments in which others had its core, and the
least of ``--repeats`` that alternate between the coders; on a busy machine compare the ratios all the same. torchac is
measured where it is installed (with ninja and a compiler).
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import constriction
import numpy as np
import torch
from compressai.entropy_models import GaussianConditional
from numpy.typing import NDArray

from scaleflow.entropy.gaussian_tables import gaussian_tables
from scaleflow.entropy.scale_grid import ScaleGrid
from scaleflow.entropy.symbol_coder import SymbolDecoder, SymbolEncoder

logger = logging.getLogger("entropy_coder")

GRID = ScaleGrid()
SPREAD_OCTAVES = 1.5
"""Standard deviation of the binary logarithm of the scales."""

Symbols = NDArray[np.int32]
Indices = NDArray[np.uint8]


class Coder(Protocol):
    """What is measured."""

    name: str

    def encode(self, symbols: Symbols, indices: Indices) -> bytes:
        """Code a flat array."""

    def decode(self, data: bytes, indices: Indices) -> Symbols:
        """Inverse of :meth:`encode`."""


class GroupedCoder:
    """This project's."""

    name = "this project"

    def __init__(self) -> None:
        self._tables = gaussian_tables(GRID)

    def encode(self, symbols: Symbols, indices: Indices) -> bytes:
        """See :class:`Coder`."""
        encoder = SymbolEncoder()
        encoder.encode(symbols, indices, self._tables)
        return encoder.finish()

    def decode(self, data: bytes, indices: Indices) -> Symbols:
        """See :class:`Coder`."""
        return SymbolDecoder(data).decode(indices, self._tables)


class CompressAiCoder:
    """rANS as CompressAI's users call it, on the same grid of scales."""

    name = "CompressAI rANS"

    def __init__(self) -> None:
        self._model = GaussianConditional([GRID.scale(index) for index in range(GRID.size)])
        self._model.update()

    def encode(self, symbols: Symbols, indices: Indices) -> bytes:
        """See :class:`Coder`."""
        latents, rows = torch.from_numpy(symbols).float()[None, None], torch.from_numpy(indices).int()[None, None]
        data: bytes = self._model.compress(latents, rows)[0]
        return data

    def decode(self, data: bytes, indices: Indices) -> Symbols:
        """See :class:`Coder`."""
        latents = self._model.decompress([data], torch.from_numpy(indices).int()[None, None])
        decoded: Symbols = latents[0, 0].to(torch.int32).numpy()
        return decoded


class PerSymbolCoder:
    """constriction's range coder with a quantised Gaussian for every symbol."""

    name = "constriction, a model per symbol"

    def __init__(self) -> None:
        self._scales = np.array([GRID.scale(index) for index in range(GRID.size)])
        reach = int(8 * self._scales[-1])
        self._family = constriction.stream.model.QuantizedGaussian(-reach, reach)

    def encode(self, symbols: Symbols, indices: Indices) -> bytes:
        """See :class:`Coder`."""
        coder = constriction.stream.queue.RangeEncoder()
        coder.encode(symbols, self._family, np.zeros(len(symbols)), self._scales[indices])
        data: bytes = coder.get_compressed().tobytes()
        return data

    def decode(self, data: bytes, indices: Indices) -> Symbols:
        """See :class:`Coder`."""
        coder = constriction.stream.queue.RangeDecoder(np.frombuffer(data, dtype=np.uint32))
        decoded: Symbols = coder.decode(self._family, np.zeros(len(indices)), self._scales[indices])
        return decoded


class TorchacCoder:
    """torchac with a 16-bit cumulative distribution for every symbol; a coder for each 2**15 of them, for memory."""

    name = "torchac"
    _part = 1 << 15

    def __init__(self) -> None:
        import torchac  # compiles itself when imported

        self._torchac = torchac
        scales = torch.tensor([GRID.scale(index) for index in range(GRID.size)], dtype=torch.float64)
        self._reach = 512
        edges = torch.arange(-self._reach, self._reach + 2, dtype=torch.float64) - 0.5
        cumulated = 0.5 * torch.special.erfc(-edges / (scales[:, None] * 2**0.5))
        spare = 65536 - len(edges)  # every symbol gets at least one, as torchac's own conversion has it
        integers = (cumulated * spare).round().to(torch.int64) + torch.arange(len(edges))
        integers[:, 0] = 0
        self._cumulated = (integers & 65535).to(torch.uint16).view(torch.int16)

    def encode(self, symbols: Symbols, indices: Indices) -> bytes:
        """See :class:`Coder`."""
        parts = []
        for begin in range(0, len(symbols), self._part):
            part = torch.from_numpy((symbols[begin : begin + self._part] + self._reach).astype(np.int16))
            cumulated = self._cumulated[torch.from_numpy(indices[begin : begin + self._part]).int()]
            data = self._torchac.encode_int16_normalized_cdf(cumulated, part)
            parts.append(len(data).to_bytes(4, "big") + data)
        return b"".join(parts)

    def decode(self, data: bytes, indices: Indices) -> Symbols:
        """See :class:`Coder`."""
        parts, place = [], 0
        for begin in range(0, len(indices), self._part):
            end = place + 4 + int.from_bytes(data[place : place + 4], "big")
            cumulated = self._cumulated[torch.from_numpy(indices[begin : begin + self._part]).int()]
            parts.append(self._torchac.decode_int16_normalized_cdf(cumulated, data[place + 4 : end]).numpy())
            place = end
        return np.concatenate(parts).astype(np.int32) - self._reach


@dataclass
class Result:
    """Least seconds so far, and bytes, of one coder."""

    encode: float = float("inf")
    decode: float = float("inf")
    size: int = 0


def bits_by_symbol(reach: int = 512) -> NDArray[np.float64]:
    """-log2 of the Gaussian's mass in each unit bin, (scales, 2 reach + 1); far tails at the smallest float."""
    scales = torch.tensor([GRID.scale(index) for index in range(GRID.size)], dtype=torch.float64)[:, None]
    magnitude = torch.arange(-reach, reach + 1, dtype=torch.float64).abs()
    root = scales * 2**0.5
    mass = 0.5 * (torch.special.erfc((magnitude - 0.5) / root) - torch.special.erfc((magnitude + 0.5) / root))
    bits: NDArray[np.float64] = -mass.clamp_min(1e-300).log2().numpy()
    return bits


def draw(count: int, rate: float, seed: int) -> tuple[Symbols, Indices, float]:
    """Symbols, indices and their ideal bits, whose expectation is ``rate`` a symbol."""
    bits = bits_by_symbol()
    entropy = (np.exp2(-bits) * bits).sum(1)
    random = np.random.default_rng(seed)
    spread = random.normal(0, SPREAD_OCTAVES * GRID.steps_per_octave, count)
    low, high = -64.0, GRID.size + 0.0
    for _ in range(40):  # bisect the median of the scale indices
        median = (low + high) / 2
        indices = np.rint(median + spread).clip(0, 80).astype(np.uint8)
        low, high = (median, high) if entropy[indices].mean() < rate else (low, median)
    scales = np.array([GRID.scale(index) for index in range(GRID.size)])[indices]
    symbols = np.rint(random.normal(0, 1, count) * scales).astype(np.int32)
    return symbols, indices, float(bits[indices, symbols + 512].sum())


def measure(coders: Iterable[Coder], symbols: Symbols, indices: Indices, repeats: int) -> dict[str, Result]:
    """Time every coder, checking that what comes back is what went in."""
    chosen = list(coders)
    results = {coder.name: Result() for coder in chosen}
    for _ in range(repeats):
        for coder in chosen:
            result = results[coder.name]
            start = time.process_time()
            data = coder.encode(symbols, indices)
            middle = time.process_time()
            decoded = coder.decode(data, indices)
            end = time.process_time()
            if not np.array_equal(decoded, symbols):
                raise RuntimeError(f"{coder.name}: decoded symbols differ")
            result.encode, result.decode = min(result.encode, middle - start), min(result.decode, end - middle)
            result.size = len(data)
    return results


def available() -> list[Coder]:
    """All coders that can run here; CompressAI's is the one that others are compared with."""
    makers: list[Callable[[], Coder]] = [GroupedCoder, CompressAiCoder, PerSymbolCoder, TorchacCoder]
    coders: list[Coder] = []
    for make in makers:
        try:
            coders.append(make())
        except (ImportError, OSError, RuntimeError) as error:
            logger.warning("%s is left out: %s", make.__name__, str(error).splitlines()[0])
    return coders


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=1_000_000, help="symbols in one call")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.6, 3.2], help="ideal bits a symbol")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    coders = available()
    print("| bit/symbol | coder | over the ideal | encode, Msymbol/s | decode, Msymbol/s | x CompressAI |")
    print("|---|---|---|---|---|---|")
    for rate in arguments.rates:
        symbols, indices, ideal = draw(arguments.symbols, rate, seed=1)
        results = measure(coders, symbols, indices, arguments.repeats)
        base = results[CompressAiCoder.name]
        for name, result in results.items():
            million = len(symbols) / 1e6
            print(
                f"| {ideal / len(symbols):.2f} | {name} | {100 * (8 * result.size / ideal - 1):+.2f} % "
                f"| {million / result.encode:.1f} | {million / result.decode:.1f} "
                f"| {base.encode / result.encode:.1f} / {base.decode / result.decode:.1f} |"
            )


if __name__ == "__main__":
    main()
