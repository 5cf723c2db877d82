"""One report that several tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaleflow.evaluation.report import write_report


@pytest.fixture(scope="session")
def report(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(results, path)
    return path
