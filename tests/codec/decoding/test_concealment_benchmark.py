"""Hits of files, and what is counted of them."""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import pytest

from benchmarks import concealment
from benchmarks.concealment import KINDS, Coded, Tally, encode_clip, hit, measure, row
from tests.codec.conftest import packaged_clip
from tests.codec.stand_in import StandInModel


@pytest.fixture(scope="module")
def coded() -> Coded:
    options = argparse.Namespace(pictures=40, quality=32.0, intra_period=20)
    return encode_clip(Path(packaged_clip("carphone_pristine.mp4")), (64, 48), options, StandInModel())


@pytest.mark.parametrize("kind", KINDS)
def test_a_hit_costs_pictures_and_stand_ins_are_measured(kind: str, coded: Coded) -> None:
    tally = Tally()
    measure(coded, kind, 4, random.Random(2), tally)
    assert tally.hits == 4 and 4 <= tally.lost <= 4 * 40
    assert len(tally.sound) == len(tally.repeated) == len(tally.concealed) == tally.shown <= tally.lost
    cells = row("carphone", kind, tally).split("|")
    assert [cell.strip() for cell in cells[1:4]] == ["carphone", kind, "4"]


def test_hits_change_what_they_say(coded: Coded) -> None:
    sizes = {kind: len(hit(coded, kind, random.Random(1))) - len(coded.content) for kind in concealment.KINDS}
    assert sizes["flip"] == sizes["swapped"] == 0 and sizes["lost"] < 0 and sizes["cut"] < 0
    flipped = hit(coded, "flip", random.Random(1))
    assert sum(a != b for a, b in zip(flipped, coded.content, strict=True)) == 1
    assert sorted(hit(coded, "swapped", random.Random(1))) == sorted(coded.content)
