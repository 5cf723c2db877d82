"""Decodes a conformance stream and says whether what comes out is what is expected."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from scaleflow.codec.conformance.expected_samples import read_samples
from scaleflow.codec.conformance.suite import SUITE_FOLDER, ConformanceStream
from scaleflow.codec.conformance.symbol_hashes import SymbolHashes
from scaleflow.codec.container import AudioPacket, SfvHeader, SfvReader
from scaleflow.codec.decoding.stream_decoder import DecodedPicture, StreamDecoder
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Planes
from scaleflow.errors import DataError

ChooseModel = Callable[[SfvHeader], VideoModel]

State = Literal["pass", "fail", "not run"]


@dataclass(frozen=True)
class StreamVerdict:
    """What became of one stream.

    Attributes:
        stream: that was checked.
        state: ``not run`` where its weights do not come with this release and were not found.
        reasons: why it failed, or was not run; a sentence each.
        symbols_equal: whether those of every picture were; None where it was not run, or could not be decoded.
        largest_difference: of a sample, in code values; None likewise.
        share: of all samples that differ, 0..1.
        seconds: spent on decoding.
    """

    stream: ConformanceStream
    state: State
    reasons: tuple[str, ...] = ()
    symbols_equal: bool | None = None
    largest_difference: int | None = None
    share: float | None = None
    seconds: float = 0.0


def check_streams(
    streams: Iterable[ConformanceStream], choose_model: ChooseModel, folder: Path = SUITE_FOLDER
) -> Iterator[StreamVerdict]:
    """Check one stream after the other; models that several of them need are kept."""
    models: dict[tuple[str, str, str], VideoModel] = {}

    def kept(header: SfvHeader) -> VideoModel:
        key = header.model, header.weights_hash, header.precision
        if key not in models:
            models[key] = choose_model(header)
        return models[key]

    for stream in streams:
        yield check_stream(stream, kept, folder)


def check_stream(stream: ConformanceStream, choose_model: ChooseModel, folder: Path = SUITE_FOLDER) -> StreamVerdict:
    """Decode a stream and compare it.

    Args:
        stream: out of :func:`scaleflow.codec.conformance.suite.read_suite`.
        choose_model: gives the model for a header; a :class:`DataError` says that it is not there.
        folder: that holds the stream.
    """
    place = stream.stream_file(folder)
    started = time.monotonic()
    try:
        content = place.read_bytes()
        if hashlib.sha256(content).hexdigest() != stream.content:
            return StreamVerdict(stream, "fail", (f"{place} is not the file that was shipped",))
        with SfvReader(place) as reader:
            try:
                model = SymbolHashes(choose_model(reader.header))
            except DataError as error:
                state: State = "fail" if stream.shipped else "not run"
                return StreamVerdict(stream, state, (str(error),))
            expected = read_samples(stream.samples_file(folder), reader.header.video, len(stream.times))
            found = _decode(reader, model)
    except (DataError, OSError) as error:
        return StreamVerdict(stream, "fail", (str(error),))
    return _compare(stream, found, expected, time.monotonic() - started)


@dataclass
class DecodedStream:
    """All that a decoder gave."""

    pictures: list[Planes] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    audio: list[AudioPacket] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)


def decode_stream(source: Path, choose_model: ChooseModel) -> DecodedStream:
    """A whole stream in memory, with the hashes of its symbols.

    Raises:
        DataError: it is none, or there is no model for it.
    """
    with SfvReader(source) as reader:
        return _decode(reader, SymbolHashes(choose_model(reader.header)))


def _decode(reader: SfvReader, model: SymbolHashes) -> DecodedStream:
    found = DecodedStream(symbols=model.hashes)
    for event in StreamDecoder(reader.header, model).decode(reader):
        if isinstance(event, DecodedPicture):
            found.pictures.append(event.planes)
            found.times.append(event.pts)
        elif isinstance(event, AudioPacket):
            found.audio.append(event)
        else:
            found.damage.append(str(event))
    return found


def hash_audio(packets: Sequence[AudioPacket]) -> str | None:
    """SHA-256 over audio packets in their order; None where there are none.

    Of each: the numbers of the stream, presentation time, decoding time, duration, flags and bytes as decimal digits
    with spaces between, ``-`` for what is absent, a line feed, and the payload.
    """
    if not packets:
        return None
    digest = hashlib.sha256()
    for packet in packets:
        numbers = packet.stream_index, packet.pts, packet.dts, packet.duration, packet.flags, len(packet.payload)
        digest.update(" ".join("-" if number is None else str(number) for number in numbers).encode() + b"\n")
        digest.update(packet.payload)
    return digest.hexdigest()


def _compare(
    stream: ConformanceStream, found: DecodedStream, expected: Sequence[Planes], seconds: float
) -> StreamVerdict:
    reasons = list(found.damage)
    if found.times != list(stream.times):
        reasons.append(f"{len(found.times)} pictures, or their times, are not the {len(stream.times)} expected")
    if hash_audio(found.audio) != stream.audio:
        reasons.append("audio packets are not those expected")
    wrong = [number for number, (a, b) in enumerate(zip(found.symbols, stream.symbols, strict=False)) if a != b]
    symbols_equal = not wrong and len(found.symbols) == len(stream.symbols)
    if not symbols_equal:
        reasons.append(f"symbols differ from picture {wrong[0] if wrong else len(found.symbols)} on")
    largest, differing, total = 0, 0, 0
    for ours, theirs in zip(found.pictures, expected, strict=False):
        for plane, wanted in zip(ours, theirs, strict=True):
            difference = np.abs(plane.astype(np.int32) - wanted.astype(np.int32))
            largest = max(largest, int(difference.max()))
            differing += int(np.count_nonzero(difference))
            total += difference.size
    if largest > stream.bound:
        reasons.append(f"a sample differs by {largest} code values, more than {stream.bound}")
    return StreamVerdict(
        stream,
        "fail" if reasons else "pass",
        tuple(reasons),
        symbols_equal,
        largest,
        differing / total if total else 0.0,
        seconds,
    )
