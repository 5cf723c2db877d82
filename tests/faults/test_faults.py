"""A try of each fault; ``python -m tests.faults`` makes as many as are asked for."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.__main__ import SHORT_TRAINING, make_inputs
from tests.faults.disturbance import FAULTS, Undisturbed, disturb, undisturbed
from tests.faults.subjects import subjects

SUBJECTS = subjects(SHORT_TRAINING)

PAIRS = (
    ("KILL", "encode"),
    ("TERM", "decode to pictures"),
    ("INT", "rd"),
    ("disk full", "decode to a file"),
    ("worker lost", "encode, workers"),
    ("input cut", "pack"),
)


@pytest.fixture(scope="module")
def inputs(carphone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults") / "inputs"
    make_inputs(carphone, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "command"), PAIRS)
def test_nothing_is_lost(fault: str, command: str, inputs: Path, tmp_path: Path) -> None:
    ordinary = undisturbed(SUBJECTS[command], inputs, tmp_path / "whole")
    outcome = disturb(fault, SUBJECTS[command], ordinary, inputs, tmp_path / "try", random.Random(7))
    assert not outcome.lost


def test_all_faults_are_tried() -> None:
    assert {fault for fault, _ in PAIRS} == set(FAULTS)


@pytest.mark.slow
def test_a_loss_is_seen(inputs: Path, tmp_path: Path) -> None:
    """A command whose output is not what it should be is told from one that lost nothing."""
    subject = SUBJECTS["encode"]
    outcome = disturb(
        "INT", subject, Undisturbed("another content", 9, 0.01), inputs, tmp_path / "try", random.Random(7)
    )
    assert "not what it should be" in outcome.lost
