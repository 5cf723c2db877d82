"""Values as people type them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from scaleflow.cli.encode_options import KeyFrameOptions
from scaleflow.cli.values import (
    bitrate_text,
    parse_bitrate,
    parse_cascade,
    parse_frame_rate,
    parse_size,
    parse_times,
    seconds_text,
    size_text,
)
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"), [("800k", 8e5), ("1.5M", 1.5e6), ("250000", 2.5e5), (".5m", 5e5), ("2G", 2e9)]
)
def test_bitrates(text: str, value: float) -> None:
    assert parse_bitrate(text) == value


@pytest.mark.parametrize("text", ["", "fast", "8 k", "-5k", "1e6", "800kb"])
def test_bitrates_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--bitrate"):
        parse_bitrate(text)


def test_sizes() -> None:
    assert parse_size("352x288") == (352, 288)
    for text in ("352", "352x", "x288", "352*288", "-1x5"):
        with pytest.raises(UsageError, match="--size"):
            parse_size(text)


def test_frame_rates() -> None:
    assert parse_frame_rate("30000/1001") == Fraction(30000, 1001)
    assert parse_frame_rate("29.97") == Fraction(2997, 100)
    for text in ("0", "1/0", "-3", "many"):
        with pytest.raises(UsageError, match="--fps"):
            parse_frame_rate(text)


def test_times() -> None:
    assert parse_times("1.5,3") == (1.5, 3.0)
    for text in ("", "1,,2", "-1", "inf", "nan"):
        with pytest.raises(UsageError, match="--key-at"):
            parse_times(text)


def test_cascades() -> None:
    assert parse_cascade("-2,0.5,6") == (-2.0, 0.5, 6.0) and parse_cascade("0") == (0.0,)
    for text in ("", "1,,2", "a", "nan", "1;2", "inf"):
        with pytest.raises(UsageError, match="--quality-cascade"):
            parse_cascade(text)
    assert parse_cascade(KeyFrameOptions().quality_cascade) == EncodeSettings(quality=1).quality_cascade


def test_texts() -> None:
    assert (seconds_text(75), seconds_text(3675)) == ("1:15", "1:01:15")
    assert (bitrate_text(812_345), bitrate_text(90)) == ("812.3 kbit/s", "90 bit/s")
    assert (size_text(1_234_567), size_text(999)) == ("1.235 MB", "999 bytes")
