"""The file that a blind test saves, which may come from anyone: its values are checked once, here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from scaleflow import json_values
from scaleflow.errors import DataError
from scaleflow.evaluation.rate_distortion.codec_name import is_codec_name
from scaleflow.json_dataclass import read_dataclass

FORMAT = "scaleflow votes 1"

MODES = ("still", "zoom", "moving")
"""How a pair is shown: a picture, a part of one enlarged, or a short clip that is repeated."""

LONGEST_TIME = 1 << 40
"""Milliseconds, some 35 years: a page that was left open."""

_HASH = re.compile(r"[0-9a-f]{16,64}")


@dataclass(frozen=True)
class ShownPoint:
    """One side of a pair.

    Attributes:
        setting: as of :class:`~scaleflow.evaluation.rate_distortion.point.RatePoint`.
        file_bytes: size of the coded file that the pictures are of.
        bits_per_pixel: its bits for each sample of luma.
    """

    codec: str
    setting: str
    file_bytes: int
    bits_per_pixel: float


@dataclass(frozen=True)
class Vote:
    """What a person said of a pair.

    Attributes:
        pair: its number on the page, from 1 on.
        clip: name of the clip.
        mode: one of :data:`MODES`.
        first_picture: number of the picture, or of the first one, within the clip.
        pictures: how many were shown: 1, or the length of a moving clip.
        left, right: what was on each side.
        choice: the codec that was preferred, None where neither was.
        milliseconds: from when the pair was seen to the vote.
        original_shown: whether the person looked at the original.
    """

    pair: int
    clip: str
    mode: str
    first_picture: int
    pictures: int
    left: ShownPoint
    right: ShownPoint
    choice: str | None
    milliseconds: int
    original_shown: bool


@dataclass(frozen=True)
class VotesFile:
    """One person's votes on one page.

    Attributes:
        format: :data:`FORMAT`.
        version: of the program that wrote the page.
        page: hash of the page's content.
        seed: of the order of its pairs and of their sides.
        session: made at random when the page was opened.
        pairs: how many the page has.
        votes: on those that were judged.
    """

    format: str
    version: str
    page: str
    seed: int
    session: str
    pairs: int
    votes: list[Vote]


def read_votes(path: Path) -> VotesFile:
    """A votes file.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        DataError: it is damaged, or no votes file.
    """
    value = json_values.read_json(path)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise DataError(f"{path}: is no votes file: its format is not {FORMAT!r}")
    found = read_dataclass(VotesFile, value, str(path))
    for name in ("page", "session"):
        if not _HASH.fullmatch(getattr(found, name)):
            raise DataError(f"{path}.{name}: is no hash of 16 to 64 hexadecimal digits")
    json_values.whole_number(found.seed, f"{path}.seed", 0)
    json_values.whole_number(found.pairs, f"{path}.pairs", 1)
    if not found.votes:
        raise DataError(f"{path}: holds no votes")
    numbers: set[int] = set()
    for number, vote in enumerate(found.votes):
        _check_vote(vote, found.pairs, f"{path}.votes[{number}]")
        if vote.pair in numbers:
            raise DataError(f"{path}.votes[{number}]: there is another vote on pair {vote.pair}")
        numbers.add(vote.pair)
    return found


def _check_vote(vote: Vote, pairs: int, place: str) -> None:
    json_values.whole_number(vote.pair, f"{place}.pair", 1, pairs)
    json_values.file_name(vote.clip, f"{place}.clip")
    if vote.mode not in MODES:
        raise DataError(f"{place}.mode: {vote.mode[:40]!r} is none of {', '.join(MODES)}")
    json_values.whole_number(vote.first_picture, f"{place}.first_picture")
    json_values.whole_number(vote.pictures, f"{place}.pictures", 1)
    json_values.whole_number(vote.milliseconds, f"{place}.milliseconds", 0, LONGEST_TIME)
    for side in ("left", "right"):
        point: ShownPoint = getattr(vote, side)
        if not is_codec_name(point.codec):
            raise DataError(f"{place}.{side}.codec: {point.codec[:64]!r} is no name of a codec")
        json_values.whole_number(point.file_bytes, f"{place}.{side}.file_bytes", 1, 1 << 53)
        json_values.number(point.bits_per_pixel, f"{place}.{side}.bits_per_pixel", 1e-9)
    codecs = (vote.left.codec, vote.right.codec)
    if codecs[0] == codecs[1]:
        raise DataError(f"{place}: both sides are of {codecs[0]}")
    if vote.choice is not None and vote.choice not in codecs:
        raise DataError(f"{place}.choice: {vote.choice[:64]!r} is neither {codecs[0]} nor {codecs[1]}")
