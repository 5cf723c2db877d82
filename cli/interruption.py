"""Ctrl-C and SIGTERM: the first asks to stop at a good place, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class Termination:
    """Whether SIGTERM has come."""

    def __init__(self) -> None:
        self.has_come = False

    @property
    def exit_code(self) -> int:
        """What a program ended by SIGINT or SIGTERM returns."""
        return EXIT_TERMINATED if self.has_come else EXIT_INTERRUPTED


@contextmanager
def termination_as_interrupt() -> Iterator[Termination]:
    """While entered, SIGTERM raises KeyboardInterrupt as SIGINT does, so that what was begun is cleaned up."""
    found = Termination()

    def interrupt(number: int, frame: FrameType | None) -> None:
        found.has_come = True
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield found
        return
    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield found
    finally:
        signal.signal(signal.SIGTERM, previous)


class StopRequest:
    """While entered, SIGINT and SIGTERM only set a flag, the first time."""

    def __init__(self) -> None:
        self._signal: int | None = None
        self._previous: dict[int, object] = {}

    def is_set(self) -> bool:
        """Whether a signal has come."""
        return self._signal is not None

    @property
    def exit_code(self) -> int:
        """What a program ended by such a signal returns."""
        return EXIT_TERMINATED if self._signal == signal.SIGTERM else EXIT_INTERRUPTED

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None and number == signal.SIGTERM:
            raise SystemExit(EXIT_TERMINATED)
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = number

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
