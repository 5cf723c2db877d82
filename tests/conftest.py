"""Settings for all tests."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Tests run in one process for each core; each, and the commands that it runs, keep to one thread where nothing else is
# said. Threads of several processes that wait for one another are slower than none. Read when torch is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says more about the machine than about the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(autouse=True)
def logging_as_imported() -> Iterator[None]:
    """The command line sets up logging for its process; tests and fixtures that run it in theirs, of whatever scope,
    must not change what other tests see."""
    _forget_logging()
    yield
    _forget_logging()


def _forget_logging() -> None:
    logger = logging.getLogger("scaleflow")
    logger.setLevel(logging.NOTSET)
    logger.propagate = True
    logger.handlers = []
