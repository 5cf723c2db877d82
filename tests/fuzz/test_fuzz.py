"""Some cases of each target; ``python -m tests.fuzz`` tries as many as are asked for."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from scaleflow.codec.container import cbor_subset
from scaleflow.codec.video import writer
from scaleflow.errors import DataError
from scaleflow.output_file import OutputFile
from tests.fuzz import harness
from tests.fuzz.harness import run
from tests.fuzz.targets import TARGETS

CASES: Mapping[str, int] = {
    "container": 150,
    "payload": 12,
    "output": 50,
    "weights": 12,
    "perceptual": 12,
    "checkpoint": 5,
    "masks": 60,
    "labels": 60,
    "clips": 60,
    "votes": 60,
    "commands": 10,
}


@pytest.mark.parametrize("target", TARGETS)
def test_every_case_is_read_or_refused(target: str, tmp_path: Path) -> None:
    outcome = run(target, TARGETS[target], CASES[target], 7, keep=tmp_path)
    assert not outcome.failures, outcome.failures[0]
    assert outcome.counts.total() == CASES[target]
    refused = CASES[target] - outcome.counts["read"]
    assert refused or target == "commands"  # They end with a message and a code, not with an error.
    assert outcome.counts["read"] or target == "checkpoint"  # Of those, few are altered so little that they are read.


def test_the_same_seed_gives_the_same_inputs(tmp_path: Path) -> None:
    files: list[bytes] = []

    def remember(source: random.Random, folder: Path) -> None:
        try:
            TARGETS["container"](source, folder)
        finally:
            files.append((folder / "in.sfv").read_bytes())

    run("container", remember, 5, 3)
    run("container", remember, 3, 3, first=2)
    assert files[2:5] == files[5:] and len(set(files[:5])) == 5


def test_other_exceptions_are_noticed_and_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(data: bytes) -> object:
        raise TypeError("unhashable type")

    monkeypatch.setattr(cbor_subset, "load", broken)
    outcome = run("container", TARGETS["container"], 10, 7, keep=tmp_path)
    kind, number, said = outcome.failures[0]
    assert kind == "TypeError" and "unhashable type" in said
    assert (tmp_path / f"container-TypeError-{number}" / "in.sfv").is_file()


def test_leftovers_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OutputFile, "abort", lambda self: None)
    monkeypatch.setattr(writer, "open_output_file", lambda path, overwrite: OutputFile(path, overwrite))
    failures = run("output", TARGETS["output"], 40, 7).failures
    assert failures and {kind for kind, _, _ in failures} == {"Leftover"}


def test_slow_cases_and_long_messages_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(source: random.Random, folder: Path) -> None:
        while True:
            source.random()

    def wordy(source: random.Random, folder: Path) -> None:
        raise DataError("a line\nand another")

    monkeypatch.setattr(harness, "SECONDS", 0.2)
    assert [kind for kind, _, _ in run("endless", endless, 1, 1).failures] == ["Slow"]
    assert [kind for kind, _, _ in run("wordy", wordy, 1, 1).failures] == ["Message"]
