"""One page that several tests look at: an original, x264 and the shipped model at three rates."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaleflow.evaluation.blind_test import BlindTestSettings, write_blind_test
from scaleflow.evaluation.report import ReportSettings

PAIRS = 10


@pytest.fixture(scope="session")
def page(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pairs."""
    path = tmp_path_factory.mktemp("blind") / "test.html"
    settings = BlindTestSettings(pairs=PAIRS, seed=5, rate_tolerance=100)
    assert write_blind_test(results, path, ReportSettings(pictures=2), settings) == PAIRS
    return path
