"""A results folder of a real clip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluation.results_folder import add_points
from tests.pipeline.conftest import carphone, ffmpeg

__all__ = ["carphone", "ffmpeg"]

FRAMES = 6


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory, carphone: Path, ffmpeg: Callable[..., None]) -> Path:
    """Six pictures of 88x72 by x264 and by the shipped model, three points each."""
    folder = tmp_path_factory.mktemp("measured") / "results"
    add_points(folder, carphone, FRAMES, ffmpeg)
    return folder
