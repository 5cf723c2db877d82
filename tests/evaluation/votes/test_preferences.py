"""What several files say together."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from scaleflow.evaluation.votes.preferences import count_preferences, distinct_sessions
from scaleflow.evaluation.votes.votes_file import VotesFile, read_votes
from tests.evaluation.votes.conftest import Save, save, votes_file

__all__ = ["save"]


def test_shares_of_several_persons(save: Save) -> None:
    files = [
        read_votes(save("1.json", votes_file(["a"] * 6 + ["b"] + [None], ("b", "a"), "1" * 32))),
        read_votes(save("2.json", votes_file(["a", "b"], ("a", "b"), "2" * 32, sizes=(1100, 1000)))),
        read_votes(save("3.json", votes_file(["c"], ("c", "a"), "3" * 32))),
    ]
    first, second = count_preferences(files)
    assert (first.codecs, first.preferred, first.ties, first.votes, first.persons) == (("a", "b"), (7, 2), 1, 10, 2)
    assert first.share == pytest.approx(0.75)  # of seven and a half of ten
    # Wilson, 1927: (p + z²/2n ± z sqrt(p (1 - p)/n + z²/4n²)) / (1 + z²/n) of 0.75 and 10
    assert first.interval == pytest.approx((0.4422, 0.9191), abs=1e-4)
    assert first.p_value == pytest.approx(2 * (1 + 9 + 36) / 2**9)
    # a is always the larger file by a tenth, on whichever side it is
    assert first.size_ratio == pytest.approx(1.1)
    assert (second.codecs, second.preferred, second.persons) == (("a", "c"), (0, 1), 1)


def test_by_clip(save: Save) -> None:
    file = read_votes(save("1.json", votes_file(["a", "b", "a", None], clips=("y", "x"))))
    found = count_preferences([file], by_clip=True)
    assert [(one.clip, one.preferred, one.ties) for one in found] == [
        (None, (2, 1), 1),
        ("x", (0, 1), 1),
        ("y", (2, 0), 0),
    ]


def test_a_session_is_counted_once(save: Save, caplog: pytest.LogCaptureFixture) -> None:
    early, whole = votes_file(["a"]), votes_file(["a", "b"])
    other = votes_file(["b"], session="1" * 32)
    names = {"early.json": early, "whole.json": whole, "copy.json": whole, "other.json": other}
    read = [(path, read_votes(path)) for path in (save(name, value) for name, value in names.items())]
    with caplog.at_level(logging.WARNING):
        kept = distinct_sessions([*read, read[-1]])
    assert [len(file.votes) for file in kept] == [2, 1]
    assert len(caplog.messages) == 2
    assert all(f"{name}.json" in caplog.messages[0] for name in ("early", "whole", "copy"))
    assert "other.json: was given more than once" in caplog.messages[1]


def test_files_of_different_persons_are_all_kept(save: Save, caplog: pytest.LogCaptureFixture) -> None:
    files: list[tuple[Path, VotesFile]] = []
    for number in range(3):
        path = save(f"{number}.json", votes_file(["a"], session=str(number) * 32))
        files.append((path, read_votes(path)))
    assert distinct_sessions(files) == [file for _, file in files] and not caplog.messages
