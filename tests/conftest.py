"""Settings for all tests."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
from hypothesis import settings

# Tests run in one process for each core; each, and the commands that it runs, keep to one thread where nothing else is
# said. Threads of several processes that wait for one another are slower than none. Read when torch is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell starts what it puts into the background deaf to Ctrl-C, and what tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

FOLDERS = frozenset({"adversarial", "cli", "codec", "efficient_nets", "entropy", "evaluation", "roi", "training"})
"""At the top of the repository; imported below ``scaleflow`` alone."""


class _OneName(MetaPathFinder):
    """The repository is on the path, for tests that import one another; its folders are no packages for all that.

    ``import codec`` would make a second module of each file, with classes that are not those of ``scaleflow.codec``.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in FOLDERS:
            raise ModuleNotFoundError(f"{fullname} is imported as scaleflow.{fullname}", name=fullname)
        return None


sys.meta_path.insert(0, _OneName())

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
