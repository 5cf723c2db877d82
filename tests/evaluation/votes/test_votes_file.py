"""Reading what pages save, and refusing what they never do."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.votes.votes_file import read_votes
from tests.evaluation.votes.conftest import Save, save, votes_file

__all__ = ["save"]


def test_a_file_is_read(save: Save) -> None:
    found = read_votes(save("a.json", votes_file(["a", None, "b"])))
    assert [vote.choice for vote in found.votes] == ["a", None, "b"]
    assert (found.votes[0].left.codec, found.votes[0].right.file_bytes, found.seed) == ("b", 1100, 3)


def changed(place: Sequence[str | int], value: object) -> dict[str, Any]:
    file = copy.deepcopy(votes_file(["a", "b"]))
    holder: Any = file
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    return file


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (["format"], "scaleflow votes 2", "is no votes file"),
        (["page"], "../x", r"page: is no hash"),
        (["session"], "", r"session: is no hash"),
        (["seed"], -1, r"seed: -1 is outside"),
        (["votes"], [], "holds no votes"),
        (["votes", 1, "pair"], 1, r"votes\[1\]: there is another vote on pair 1"),
        (["votes", 1, "pair"], 41, r"votes\[1\].pair: 41 is outside 1..40"),
        (["votes", 0, "mode"], "upside down", "is none of still, zoom, moving"),
        (["votes", 0, "choice"], "c", "'c' is neither b nor a"),
        (["votes", 0, "right", "codec"], "b", "both sides are of b"),
        (["votes", 0, "left", "codec"], "../b", "is no name of a codec"),
        (["votes", 0, "left", "file_bytes"], 0, "file_bytes: 0 is outside"),
        (["votes", 0, "left", "bits_per_pixel"], "0.1", "expected a number"),
        (["votes", 0, "milliseconds"], 1.5, "expected a whole number"),
        (["votes", 0, "clip"], "a/b", "is no plain name"),
        (["votes", 0, "extra"], 1, "'extra' is not known here"),
    ],
)
def test_other_files_are_refused(save: Save, place: Sequence[str | int], value: object, words: str) -> None:
    path = save("a.json", changed(place, value))
    with pytest.raises(DataError, match=words) as raised:
        read_votes(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100000, b"[]", b'"x"', b'{"format": NaN}'])
def test_what_is_no_votes_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.json: is no"):
        read_votes(tmp_path / "a.json")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        read_votes(tmp_path / "a.json")
