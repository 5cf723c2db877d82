"""What people and programs see: log lines and progress on standard error, JSON lines on standard output."""

from __future__ import annotations

import json
import logging
import sys
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from scaleflow.errors import UsageError

JSON_PERIOD = 1.0
"""Seconds between JSON lines of progress."""

LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)

console = Console(stderr=True, highlight=False, soft_wrap=True)
"""Standard error; lines that are printed while a progress bar moves go above it."""


class _LineHandler(logging.Handler):
    """Log records as single lines."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        console.print(f"scaleflow: {level}{record.getMessage()}", markup=False)


def start_logging(verbosity: int) -> None:
    """Show warnings; with ``verbosity`` 1 information too, with 2 everything."""
    level = LEVELS[min(verbosity, len(LEVELS) - 1)]
    logger = logging.getLogger("scaleflow")
    logger.handlers = [_LineHandler()]
    logger.setLevel(level)
    logger.propagate = False


def check_json(use_json: bool, output: str) -> None:
    """Refuse JSON on a standard output that carries the result.

    Raises:
        UsageError: says so.
    """
    if use_json and output == "-":
        raise UsageError("--json prints on standard output, which is the output already: write to a file instead")


def print_json(record: dict[str, Any]) -> None:
    """One object on one line of standard output; of none where it is closed, as of other text."""
    if sys.stdout is not None:
        sys.stdout.write(json.dumps(record) + "\n")
        sys.stdout.flush()


class ProgressReport:
    """A bar on a terminal, JSON lines where asked for, silence otherwise; a context manager."""

    def __init__(self, use_json: bool) -> None:
        self._use_json = use_json
        self._printed_at = -JSON_PERIOD
        self._stage = ""
        self._task: TaskID | None = None
        self._bar: Progress | None = None
        if not use_json and console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[details]}"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=console, transient=True)

    def update(
        self, stage: str, done: float, total: float | None, seconds: float, details: str, record: dict[str, Any]
    ) -> None:
        """Show where work stands: ``done`` of ``total`` and ``details`` on the bar, ``record`` as a JSON line."""
        is_new = stage != self._stage
        self._stage = stage
        if self._use_json:
            if is_new or seconds - self._printed_at >= JSON_PERIOD:
                self._printed_at = seconds
                print_json({"event": "progress", "stage": stage} | record)
        elif self._bar is not None:
            if is_new or self._task is None:
                if self._task is not None:
                    self._bar.remove_task(self._task)
                self._task = self._bar.add_task(stage, total=total, details=details)
            # Estimates of the length may be too short.
            shown_total = None if total is None else max(total, done)
            self._bar.update(self._task, completed=done, total=shown_total, details=details)

    def __enter__(self) -> ProgressReport:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
