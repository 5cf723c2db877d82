"""Processes that are started while Ctrl-C may come: a terminal sends it, as systems send SIGTERM, to all at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def deaf_children() -> Iterator[None]:
    """Processes that are started within get no signal to stop before they say what it means to them.

    Without, one that is still importing dies of a signal that its parent is about to handle, and seems to have crashed.
    This process gets what has come in between when the block ends.
    """
    resource_tracker.ensure_running()  # Its own start, with the first process, would let the signals through again.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def listen() -> None:
    """In a child that has set its handlers: let the signals through that :func:`deaf_children` holds up."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
