"""Faults: a command is started, something goes wrong at a random moment, and what is left is looked at."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from scaleflow.evaluation.rate_distortion.codec_programs import scaleflow_command
from tests.child_processes import children
from tests.faults.subjects import Subject, prepare

SECONDS = 600.0
"""A command that takes longer hangs."""

SIGNALS = {"KILL": signal.SIGKILL, "TERM": signal.SIGTERM, "INT": signal.SIGINT}

FAULTS = (*SIGNALS, "disk full", "worker lost", "input cut")

_CODES = {"KILL": {-9}, "TERM": {143, -15}, "INT": {130}, "disk full": {1}, "worker lost": {1}, "input cut": {1, 2}}
"""With which a disturbed command may end, beside 0 where it was done before or could do without. -15 is that of Python
while it starts: the command has not begun."""


@dataclass(frozen=True)
class Undisturbed:
    """What a command does when nothing goes wrong: its output, the size of that in bytes, and its time in seconds."""

    content: str
    size: int
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """Of one try: exit code, whether the command was ``stopped`` or ``done``, and what was lost (empty: nothing)."""

    code: int
    ended: str
    lost: str


def fits(fault: str, subject: Subject) -> bool:
    """Whether a command can have a fault: only some have workers."""
    return fault != "worker lost" or "workers" in subject.name or subject.name in ("train", "decode to pictures")


def undisturbed(subject: Subject, inputs: Path, folder: Path) -> Undisturbed:
    """Run the command, and note what it leaves."""
    prepare(subject, inputs, folder)
    started = time.monotonic()
    done = subprocess.run(
        [*scaleflow_command(), *subject.arguments], cwd=folder, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    output = folder / subject.output
    files = [file for file in output.rglob("*") if file.is_file()] if output.is_dir() else [output]
    largest = max(file.stat().st_size for file in files)
    return Undisturbed(subject.content(output), largest, time.monotonic() - started)


def _ended(subject: Subject, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command, with nothing in its way."""
    command = [*scaleflow_command(), *subject.arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)


def disturb(
    fault: str, subject: Subject, ordinary: Undisturbed, inputs: Path, folder: Path, source: random.Random
) -> Outcome:
    """Prepare a folder, let the fault happen, look at what is left, and go on."""
    prepare(subject, inputs, folder)
    before, whole = subject.content(folder / subject.output), (folder / subject.source).read_bytes()
    names = {path.name for path in folder.iterdir()}
    if fault == "input cut":
        (folder / subject.source).write_bytes(whole[: source.randrange(1, len(whole))])
    limit = source.randrange(1, ordinary.size) if fault == "disk full" else None
    moment = source.uniform(0, ordinary.seconds) if fault in SIGNALS or fault == "worker lost" else None
    code, said = _run(fault, subject, folder, limit, moment)
    after = subject.content(folder / subject.output)
    ended = "done" if code == 0 and after == ordinary.content else "stopped"
    lost = _what_is_wrong(fault, code, said)
    if not lost and not subject.goes_on and fault != "input cut" and after not in (before, ordinary.content):
        lost = "the output is neither what it was nor what it should be"
    strangers = {path.name for path in folder.iterdir()} - names - {subject.output}
    if not lost and strangers and fault != "KILL":  # nobody can take away what is killed; the next writer does
        lost = f"left behind: {', '.join(sorted(strangers))}"
    (folder / subject.source).write_bytes(whole)
    if fault == "input cut" and not subject.replaces:  # it is of the cut input, and nothing to go on with
        shutil.rmtree(folder / subject.output, ignore_errors=True)
    return Outcome(code, ended, lost or _going_on(subject, ordinary, folder, names))


def _run(fault: str, subject: Subject, folder: Path, limit: int | None, moment: float | None) -> tuple[int, str]:
    """Exit code and standard error of the disturbed command."""
    process = subprocess.Popen(
        [*scaleflow_command(), *subject.arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=None if limit is None else _limited(limit),
    )
    try:
        if moment is not None:
            time.sleep(moment)
            if fault in SIGNALS:
                process.send_signal(SIGNALS[fault])
            elif workers := children(process.pid):
                os.kill(workers[-1], signal.SIGKILL)
        _, said = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return 124, "hangs"
    finally:
        process.kill()
    return process.returncode, said


def _limited(size: int) -> Callable[[], None]:
    """No file of the process may grow beyond a size: writing fails then, as it does where no space is left."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _what_is_wrong(fault: str, code: int, said: str) -> str:
    """With how a command ended and what it said; empty where nothing is."""
    if "Traceback" in said:
        return f"a traceback: {said.strip().splitlines()[-1][:200]}"
    if code == 0 or code in _CODES[fault]:
        return ""
    last = said.strip().splitlines()[-1][:200] if said.strip() else "nothing was said"
    return f"exit code {code}: {last}"


def _going_on(subject: Subject, ordinary: Undisturbed, folder: Path, names: set[str]) -> str:
    """The command again, which must end as if nothing had happened; what is wrong, empty where nothing is."""
    output = folder / subject.output
    if subject.name == "train" and not (output / "last.ckpt").exists():  # it was stopped before the first step
        shutil.rmtree(output, ignore_errors=True)
    elif subject.goes_on:
        subject = replace(subject, arguments=subject.goes_on)
    elif not subject.overwrites and output.exists():
        return "" if subject.content(output) == ordinary.content else "what is there is not what it should be"
    done = subprocess.run(
        [*scaleflow_command(), *subject.arguments], cwd=folder, capture_output=True, text=True, timeout=SECONDS
    )
    if done.returncode:
        return f"going on fails: {(done.stderr.strip().splitlines() or ['nothing was said'])[-1][:200]}"
    if subject.content(output) != ordinary.content:
        return "after going on, the output is not what it should be"
    if strangers := {path.name for path in folder.iterdir()} - names - {subject.output}:
        return f"left behind after going on: {', '.join(sorted(strangers))}"
    return ""
