"""How verbs that measure many points run: their progress, what is said when they are stopped, and what failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from scaleflow.cli.console import ProgressReport, console
from scaleflow.cli.interruption import termination_as_interrupt
from scaleflow.errors import DataError


@contextmanager
def sweep_progress(verb: str, out: Path) -> Iterator[Callable[[int, int, str], None]]:
    """Within, a sweep into the folder ``out`` runs; gives what shows its progress: number, total, and details.

    Raises:
        typer.Exit: Ctrl-C, or the process was asked to end; the points that are there are kept.
    """
    started = time.monotonic()
    with ProgressReport(use_json=False) as report:

        def show(number: int, total: int, details: str) -> None:
            report.update(verb, number, total, time.monotonic() - started, details, {})

        try:
            with termination_as_interrupt() as signals:
                yield show
        except KeyboardInterrupt:
            console.print(f"scaleflow: stopped; the points in {out} are kept, the same command goes on", markup=False)
            raise typer.Exit(signals.exit_code) from None


def say_problems(points: int, problems: Sequence[str]) -> None:
    """Raises :class:`DataError` where some points could not be measured; ``points`` were."""
    if problems:
        total = points + len(problems)
        raise DataError(f"{len(problems)} of {total} could not be measured: {problems[0]}")
