"""Latents of one kind: docs/default-model.md, "Priors"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.second_decoder.integer_network import amplify, convolve, gains_of, limit, pixel_shuffle, rectify, scale_rows
from tests.second_decoder.presence import Cells
from tests.second_decoder.symbols import Integers, SymbolDecoder, Tables
from tests.second_decoder.weights import Weights

PASSES = ((0, 0), (1, 1), (0, 1), (1, 0))


@dataclass(frozen=True)
class Place:
    """Where latents are coded, and how finely.

    Attributes:
        height, width: of the latents.
        quality: in sixteenths.
        widths: of the quantization steps at each position, zero where there is no map.
        cells: that are present.
    """

    height: int
    width: int
    quality: int
    widths: Integers
    cells: Cells


class Prior:
    """Decodes latents of one kind: ``intra``, ``motion`` or ``residual``."""

    def __init__(self, weights: Weights, kind: str) -> None:
        self._weights, self._kind = weights, kind
        self._hyper_tables = weights.tables[f"{kind}.hyper_tables"]
        self._tables = weights.tables["gaussian"]
        self._anchors = weights.integers[f"{kind}.gain"]

    @property
    def channels(self) -> int:
        """Of the latents."""
        return int(self._anchors.shape[1])

    def decode(self, decoder: SymbolDecoder, place: Place, context: Integers | None) -> Integers:
        """Fixed-point latents before gain, zero in absent cells."""
        features = self._features(self._hyper_latents(decoder, place.cells), place, context)
        positions = place.cells.repeat(4, 0).repeat(4, 1)[: place.height, : place.width]
        steps = gains_of(self._anchors, place.quality)[:, None, None] - 128 * place.widths
        if self._kind != "motion":
            mean, scale = np.split(self._convolve(features, "last.0"), 2)
            return _latents(decoder, self._tables, mean, scale, steps, positions)
        latents = np.zeros((self.channels, place.height, place.width), np.int64)
        for number, (top, left) in enumerate(PASSES):
            group = np.zeros_like(positions)
            group[top::2, left::2] = positions[top::2, left::2]
            mean, scale = self._of_group(features, latents, f"contexts.{number}")
            latents += _latents(decoder, self._tables, mean, scale, steps, group)
        return latents

    def _hyper_latents(self, decoder: SymbolDecoder, cells: Cells) -> Integers:
        channels = len(self._hyper_tables.lefts)
        values = np.zeros((channels, *cells.shape), np.int64)
        rows = np.broadcast_to(np.arange(channels)[:, None, None], values.shape)
        values[:, cells] = np.reshape(decoder.call(rows[:, cells], self._hyper_tables), (channels, -1))
        return values

    def _convolve(self, values: Integers, name: str) -> Integers:
        return convolve(values, self._weights, f"{self._kind}.synthesis.{name}")

    def _features(self, hyper_latents: Integers, place: Place, context: Integers | None) -> Integers:
        values = limit(hyper_latents * 1024)
        values = rectify(pixel_shuffle(self._convolve(values, "spatial.0")))
        values = rectify(pixel_shuffle(self._convolve(values, "spatial.3")))
        values = values[:, : place.height, : place.width]
        if context is not None:
            limited = limit(context)
            values = np.concatenate([values, rectify(self._convolve(limited, "context.0"))])
        return rectify(self._convolve(values, "parameters_network.0"))

    def _of_group(self, features: Integers, latents: Integers, name: str) -> tuple[Integers, Integers]:
        limited = limit(latents)
        neighbours = rectify(self._convolve(limited, f"{name}.neighbours.0"))
        merged = rectify(self._convolve(np.concatenate([features, neighbours]), f"{name}.merge.0"))
        mean, scale = np.split(self._convolve(merged, f"{name}.merge.2"), 2)
        return mean + self._convolve(limited, f"{name}.average.0"), scale


def _latents(
    decoder: SymbolDecoder, tables: Tables, mean: Integers, scale: Integers, steps: Integers, positions: Cells
) -> Integers:
    """Latents at some positions, zero elsewhere."""
    steps = np.broadcast_to(steps, mean.shape)[:, positions]
    gained = amplify(mean[:, positions], steps)
    rows = scale_rows(scale[:, positions] + 16 * steps)
    symbols = np.array(decoder.call(rows, tables), np.int64).reshape(rows.shape)
    latents = np.zeros_like(mean)
    latents[:, positions] = amplify(symbols * 1024 + gained, -steps)
    return latents
