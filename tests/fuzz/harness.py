"""Runs cases one after the other, each in a folder of its own, and keeps those that fail."""

from __future__ import annotations

import random
import shutil
import signal
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from scaleflow.errors import ScaleFlowError

Case = Callable[[random.Random, Path], None]
"""Makes an input in a folder, and reads it as the commands do."""

SECONDS = 20.0
"""Processor time that a case may take."""


class Slow(Exception):
    """A case took more than :data:`SECONDS`."""


class Leftover(Exception):
    """A failed case left a file behind, or a good one more than its output."""


class Message(Exception):
    """An input was refused by a message that is not one line."""


@dataclass
class Outcome:
    """What became of the cases of one target.

    Attributes:
        counts: how many were read, and how many refused by which error.
        failures: the others: name of the exception, number of the case, and where it arose.
    """

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, int, str]] = field(default_factory=list)


def run(name: str, case: Case, cases: int, seed: int, *, first: int = 0, keep: Path | None = None) -> Outcome:
    """Run cases ``first`` to ``first + cases - 1`` of a target; the same number and seed make the same input.

    Args:
        keep: a folder for the inputs of cases that fail.
    """
    outcome = Outcome()
    for number in range(first, first + cases):
        with tempfile.TemporaryDirectory(prefix="scaleflow-fuzz-") as place:
            folder = Path(place)
            try:
                with _time_limit():
                    outcome.counts[judged(case, random.Random(f"{name} {seed} {number}"), folder)] += 1
            except Message as error:
                _note(outcome, "Message", number, str(error), name, folder, keep)
            except Exception as error:  # which one is what is looked for
                _note(outcome, type(error).__name__, number, traceback.format_exc(), name, folder, keep)
    return outcome


def judged(case: Case, source: random.Random, folder: Path) -> str:
    """Try a case: ``read``, or the kind of error that refused it.

    Raises:
        Message: it was refused in other than one line.
        Exception: whatever is not the project's own.
    """
    try:
        case(source, folder)
    except ScaleFlowError as error:
        if "\n" in str(error) or not str(error):
            raise Message(f"a message that is not one line: {error!r}") from error
        return type(error).__name__
    except MemoryError:
        return "MemoryError"
    return "read"


def _note(outcome: Outcome, kind: str, number: int, said: str, name: str, folder: Path, keep: Path | None) -> None:
    outcome.failures.append((kind, number, said))
    if keep is not None:
        shutil.copytree(folder, keep / f"{name}-{kind}-{number}", dirs_exist_ok=True, symlinks=True)


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Slow(f"took more than {SECONDS:g} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
