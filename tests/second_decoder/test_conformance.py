"""The second decoder finds in all conformance streams what is expected of a decoder."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from scaleflow.codec.conformance.suite import SUITE_FOLDER, ConformanceStream, read_suite
from tests.second_decoder.fields import Damage
from tests.second_decoder.pictures import PictureDecoder
from tests.second_decoder.stream import Stream, hash_audio, read_stream
from tests.second_decoder.weights import Weights

SUITE = {stream.name: stream for stream in read_suite()}
FOREIGN = {"scaleflow", "torch", "constriction"}

FindWeights = Callable[[str], Weights]


def bytes_of(name: str) -> bytes:
    return SUITE[name].stream_file(SUITE_FOLDER).read_bytes()


def symbols_of(stream: Stream, weights: Weights) -> dict[int, str]:
    """Hashes by the numbers of pictures."""
    decoder = PictureDecoder(stream.header.video, weights)
    return {picture.number: decoder.decode(picture.payload, picture.key) for picture in stream.pictures}


@pytest.mark.parametrize("name", SUITE)
def test_a_stream_decodes_to_equal_symbols(name: str, weights_named: FindWeights) -> None:
    expected = SUITE[name]
    weights = weights_named(expected.weights)
    found = read_stream(bytes_of(name))
    assert found.faults == []
    assert (found.header.model, found.header.weights_hash) == ("default", weights.hash)
    assert (found.header.precision, found.header.video.bits) == (expected.precision, expected.bit_depth)
    assert found.end is not None and list(found.end.index) == found.key_frames
    assert tuple(picture.time for picture in found.pictures) == expected.times
    assert hash_audio(found.audio) == expected.audio
    assert symbols_of(found, weights) == dict(enumerate(expected.symbols))


@dataclass(frozen=True)
class Hit:
    """A byte of a packet that is changed, and the pictures that are lost by it."""

    picture: int
    behind: int
    lost: frozenset[int]


@pytest.mark.parametrize(
    "hit",
    [Hit(4, 40, frozenset(range(4, 8))), Hit(4, 1, frozenset(range(4, 8))), Hit(8, 20, frozenset(range(8, 11)))],
    ids=["payload", "head", "last group"],
)
def test_damage_is_found_and_costs_its_group_alone(hit: Hit, weights_named: FindWeights) -> None:
    expected: ConformanceStream = SUITE["short-groups"]
    data = bytearray(bytes_of(expected.name))
    place = next(place for number, _, place in read_stream(bytes(data)).key_frames if number == hit.picture)
    data[place + hit.behind] ^= 1
    found = read_stream(bytes(data))
    assert found.faults[0] == f"at {place} stands no sound packet"
    symbols = symbols_of(found, weights_named(expected.weights))
    assert symbols == {n: one for n, one in enumerate(expected.symbols) if n not in hit.lost}


@pytest.mark.parametrize("place", [3, 60])
def test_a_damaged_header_is_refused(place: int) -> None:
    data = bytearray(bytes_of("plain"))
    data[place] ^= 1
    with pytest.raises(Damage, match=r"signature|checksum"):
        read_stream(bytes(data))


def test_what_is_missing_is_found() -> None:
    data = bytes_of("single-packets")
    assert read_stream(data[:-30]).faults
    assert read_stream(data + b"x").faults
    third, fourth = (data.index(picture.payload) for picture in read_stream(data).pictures[2:4])
    assert len(read_stream(data[: third - 3] + data[fourth - 3 :]).pictures) < 6


def test_no_code_is_shared() -> None:
    """What decodes imports neither the first decoder nor what that computes with."""
    for file in Path(__file__).parent.glob("*.py"):
        if file.name == "conftest.py" or file.name.startswith("test_"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.split(".")[0] not in FOREIGN, (file.name, name)
                assert not name.startswith("tests.") or name.startswith("tests.second_decoder."), (file.name, name)
