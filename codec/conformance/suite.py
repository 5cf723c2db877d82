"""The streams that decoders are checked with, and what is expected of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scaleflow.errors import DataError, UsageError
from scaleflow.json_dataclass import read_dataclass
from scaleflow.json_values import read_json, record

SUITE_FOLDER = Path(__file__).resolve().parent / "streams"
"""What comes with ScaleFlow."""

SUITE_FORMAT = "scaleflow-conformance-1"
"""Layout of the file that says what is expected; another value is refused."""

EXPECTATIONS = "expected.json"


@dataclass(frozen=True)
class ConformanceStream:
    """A stream, and what every decoder must make of it.

    Attributes:
        name: of its files, ``NAME.sfv`` and ``NAME.xz``, and of the stream in tables.
        feature: what it is there for, a few words.
        precision: ``fp32`` or ``bf16``, as its header says.
        bit_depth: of its pictures, 8 or 10.
        weights: name of the set of weights, such as ``default-3``.
        shipped: whether these weights come with this release; where they do not, the stream is checked only where they
            are found.
        bound: largest difference of a sample, in code values, by which a decoder may differ.
        times: of the pictures, in units of the stream's time base.
        symbols: of each picture, see :class:`scaleflow.entropy.symbol_digest.SymbolDigest`.
        samples: hash of all samples, see :func:`scaleflow.codec.conformance.expected_samples.hash_samples`; equal where
            arithmetic is the same as where the stream was made.
        audio: hash of the audio packets, see :func:`scaleflow.codec.conformance.check.hash_audio`; None without audio.
        content: SHA-256 of the stream's file.
    """

    name: str
    feature: str
    precision: str
    bit_depth: int
    weights: str
    shipped: bool
    bound: int
    times: tuple[int, ...]
    symbols: tuple[str, ...]
    samples: str
    audio: str | None
    content: str

    def __post_init__(self) -> None:
        if not self.name or not set(self.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-"):
            raise DataError(f"conformance stream {self.name!r}: names are of small letters, digits and hyphens")
        if len(self.times) != len(self.symbols):
            raise DataError(f"{self.name}: {len(self.symbols)} hashes of symbols for {len(self.times)} pictures")

    def stream_file(self, folder: Path) -> Path:
        """The stream."""
        return folder / f"{self.name}.sfv"

    def samples_file(self, folder: Path) -> Path:
        """What it decodes to, see :mod:`scaleflow.codec.conformance.expected_samples`."""
        return folder / f"{self.name}.xz"


def read_suite(folder: Path = SUITE_FOLDER) -> tuple[ConformanceStream, ...]:
    """All streams of a folder, in their order.

    Raises:
        UsageError: the folder holds none.
        DataError: what is expected of them cannot be read.
    """
    place = folder / EXPECTATIONS
    content = record(read_json(place), str(place))
    if content.get("format") != SUITE_FORMAT:
        raise DataError(f"{place}: format {content.get('format')!r}, expected {SUITE_FORMAT!r}")
    streams = content.get("streams")
    if not isinstance(streams, list) or not streams:
        raise DataError(f"{place}: lists no streams")
    return tuple(
        read_dataclass(ConformanceStream, one, f"{place}: streams[{number}]") for number, one in enumerate(streams)
    )


def suite_record(streams: Sequence[ConformanceStream]) -> dict[str, Any]:
    """What :func:`read_suite` reads."""
    return {"format": SUITE_FORMAT, "streams": [asdict(stream) for stream in streams]}


def choose_streams(
    streams: Sequence[ConformanceStream], names: Sequence[str] = (), precision: str | None = None
) -> tuple[ConformanceStream, ...]:
    """Those of some names and of one precision; without, all.

    Raises:
        UsageError: a name is unknown, or none is left.
    """
    known = {stream.name for stream in streams}
    for name in names:
        if name not in known:
            raise UsageError(f"stream {name!r} is unknown: choose of {', '.join(sorted(known))}")
    chosen = tuple(
        stream for stream in streams if (not names or stream.name in names) and precision in (None, stream.precision)
    )
    if not chosen:
        raise UsageError(
            f"streams {', '.join(names)} and precision {precision} leave nothing to check: leave out one of them",
            fields=("precision",),
        )
    return chosen
