"""Where the bits of real streams went."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scaleflow.codec.decoding.analysis import analyse_stream
from scaleflow.codec.models.registry import load_model
from scaleflow.evaluation.rate_distortion.stream_bits import StreamBits, read_stream_bits


class Part:
    """Marks the samples of 88x72 from one column on to another."""

    def __init__(self, first: int, end: int) -> None:
        self._mask = np.zeros((72, 88), np.float32)
        self._mask[:, first:end] = 1

    def mask_at(self, number: int, seconds: float) -> NDArray[np.float32]:
        return self._mask


def stream_of(results: Path, name: str) -> Path:
    return next((results / "streams").glob(f"*-{name}.*"))


def read(results: Path, part: Part) -> StreamBits:
    return read_stream_bits(stream_of(results, "scaleflow-28"), lambda header: load_model(), part)


def test_shares_are_of_the_cells_that_the_region_covers(results: Path) -> None:
    found = read(results, Part(32, 56))
    assert found.in_region is not None
    for number, picture in enumerate(analyse_stream(stream_of(results, "scaleflow-28"))):
        bits = sum(picture.bits.values())
        # columns 32 to 47 are a cell, 48 to 55 half of one
        inside = bits[:, 2].sum() + bits[:, 3].sum() / 2
        assert found.in_region[number] == pytest.approx(inside / bits.sum(), rel=1e-5)
    total = sum(share * bits for share, bits in zip(found.in_region, found.pictures, strict=True))
    assert found.share_in_region == pytest.approx(total / sum(found.pictures))


def test_parts_add_up(results: Path) -> None:
    whole, nothing = read(results, Part(0, 88)), read(results, Part(0, 0))
    assert whole.in_region == pytest.approx([1.0] * 6) and nothing.share_in_region == 0
    shares = [read(results, Part(*ends)).share_in_region for ends in ((0, 21), (21, 60), (60, 88))]
    assert sum(share for share in shares if share is not None) == pytest.approx(1)


def test_other_codecs_do_not_say_where_their_bits_go(results: Path) -> None:
    found = read_stream_bits(stream_of(results, "x264-30"), lambda header: load_model(), Part(0, 88))
    assert found.in_region is None and found.share_in_region is None
    assert found.kinds == ["intra"] + ["inter"] * 5 and sum(found.by_kind.values()) == sum(found.pictures)
