"""What a decoder does with the streams, and how differences are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from scaleflow.codec.conformance.check import check_stream, check_streams
from scaleflow.codec.conformance.suite import SUITE_FOLDER, ConformanceStream, read_suite
from scaleflow.codec.conformance.symbol_hashes import SymbolHashes
from scaleflow.codec.container import SfvHeader
from scaleflow.codec.decoding.stream_model import load_stream_model
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.errors import DataError, UsageError
from tests.codec.stand_in import StandInModel

SUITE = {stream.name: stream for stream in read_suite()}
PLAIN = SUITE["plain"]

has_avx2 = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"), reason="samples are equal from AVX2 on"
)


@pytest.fixture(scope="module")
def choose() -> Callable[[SfvHeader], VideoModel]:
    """Loads each model once."""
    models: dict[tuple[str, str], VideoModel] = {}

    def load(header: SfvHeader) -> VideoModel:
        key = header.weights_hash, header.precision
        if key not in models:
            models[key] = load_stream_model(header)
        return models[key]

    return load


def shipped_streams() -> list[ConformanceStream]:
    return [stream for stream in SUITE.values() if stream.shipped]


def test_all_streams_with_shipped_weights_pass(choose: Callable[[SfvHeader], VideoModel]) -> None:
    for verdict in check_streams(shipped_streams(), choose):
        assert verdict.state == "pass", (verdict.stream.name, verdict.reasons)
        assert verdict.symbols_equal


@has_avx2
@pytest.mark.parametrize("name", ["plain", "ten-bit"])
def test_samples_are_equal_where_arithmetic_is(name: str, choose: Callable[[SfvHeader], VideoModel]) -> None:
    verdict = check_stream(SUITE[name], choose)
    assert (verdict.largest_difference, verdict.share) == (0, 0.0)


def altered(stream: ConformanceStream, what: str) -> ConformanceStream:
    if what == "symbols":
        return replace(stream, symbols=(*stream.symbols[:3], "0" * 64, *stream.symbols[4:]))
    if what == "times":
        return replace(stream, times=(*stream.times[:-1], stream.times[-1] + 1))
    if what == "audio":
        return replace(stream, audio="0" * 64)
    return replace(stream, content="0" * 64)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("symbols", "symbols differ from picture 3 on"),
        ("times", "times"),
        ("audio", "audio packets"),
        ("content", "not the file that was shipped"),
    ],
)
def test_what_differs_is_named(what: str, message: str, choose: Callable[[SfvHeader], VideoModel]) -> None:
    verdict = check_stream(altered(PLAIN, what), choose)
    assert verdict.state == "fail" and message in verdict.reasons[0]


def test_samples_beyond_the_bound_fail(choose: Callable[[SfvHeader], VideoModel], monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from scaleflow.codec.conformance import check

    read = check.read_samples

    def brighter(place: Path, *arguments: object) -> object:
        pictures = read(place, *arguments)  # type: ignore[arg-type]
        pictures[5][0][10, 20] -= PLAIN.bound + 1
        return pictures

    monkeypatch.setattr(check, "read_samples", brighter)
    verdict = check_stream(PLAIN, choose)
    assert verdict.state == "fail" and verdict.symbols_equal
    assert verdict.largest_difference is not None and verdict.largest_difference > PLAIN.bound
    assert check_stream(replace(PLAIN, bound=PLAIN.bound + 8), choose).state == "pass"


def test_weights_that_are_not_here(choose: Callable[[SfvHeader], VideoModel]) -> None:
    """Earlier ones need not be; those of this release must."""

    def missing(header: SfvHeader) -> VideoModel:
        raise DataError("no such weights")

    earlier = next(stream for stream in SUITE.values() if not stream.shipped)
    verdict = check_stream(earlier, missing)
    assert (verdict.state, verdict.reasons, verdict.symbols_equal) == ("not run", ("no such weights",), None)
    assert check_stream(PLAIN, missing).state == "fail"


def test_a_stream_that_is_not_there(choose: Callable[[SfvHeader], VideoModel], tmp_path: Path) -> None:
    verdict = check_stream(PLAIN, choose, tmp_path)
    assert verdict.state == "fail" and str(tmp_path) in verdict.reasons[0]
    place = PLAIN.stream_file(tmp_path)
    place.write_bytes(PLAIN.stream_file(SUITE_FOLDER).read_bytes())
    assert "xz" in check_stream(PLAIN, choose, tmp_path).reasons[0]  # what it decodes to is missing


def test_a_model_without_symbols_is_refused() -> None:
    with pytest.raises(UsageError, match="does not show its symbols"):
        SymbolHashes(StandInModel())
