"""Signals while workers start, and before there is anything to keep."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scaleflow.child_processes import STOP_SIGNALS, deaf_children, listen
from scaleflow.cli.interruption import EXIT_INTERRUPTED, EXIT_TERMINATED, StopRequest

if TYPE_CHECKING:  # Processes that are started here import this file, and should not import the networks.
    from tests.cli.test_commands import Run


def _ignore() -> None:
    """Body of a worker that leaves signals to its parent, as those of an encode do."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _hear(ready: str) -> None:
    """Body of a worker that ends in its own way."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(77))
    listen()
    Path(ready).touch()
    signal.pause()


@pytest.mark.parametrize(("body", "code"), [(_ignore, 0), (_hear, 77)])
def test_signals_do_not_kill_a_process_that_starts(body: object, code: int, tmp_path: Path) -> None:
    arguments = () if body is _ignore else (str(tmp_path / "ready"),)
    process = multiprocessing.get_context("spawn").Process(target=body, args=arguments)  # type: ignore[arg-type]
    with deaf_children():
        process.start()
    assert process.pid is not None
    for number in STOP_SIGNALS:  # long before Python runs in it
        os.kill(process.pid, number)
    process.join(60)
    assert process.exitcode == code


def test_signals_in_between_are_not_lost() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # Jobs in the background may ignore it.
    try:
        with pytest.raises(KeyboardInterrupt), deaf_children():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(STOP_SIGNALS)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, EXIT_INTERRUPTED), (signal.SIGTERM, EXIT_TERMINATED)])
@pytest.mark.parametrize("workers", [1, 2])
def test_an_encode_that_is_stopped_at_once(
    scaleflow: Run,
    carphone: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    code: int,
    workers: int,
) -> None:
    entered = StopRequest.__enter__

    def enter(self: StopRequest) -> StopRequest:
        entered(self)
        signal.raise_signal(number)
        return self

    monkeypatch.setattr(StopRequest, "__enter__", enter)
    stopped = scaleflow("encode", carphone, tmp_path / "coded.sfv", "--workers", workers)
    assert stopped.code == code and "memory" not in stopped.stderr and "\n" not in stopped.stderr.strip()
    assert "interrupted before the first picture was coded" in stopped.stderr
    assert not list(tmp_path.iterdir())


def test_a_second_sigterm_exits_as_one() -> None:
    with pytest.raises(SystemExit) as stopped, StopRequest() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
        signal.raise_signal(signal.SIGTERM)
    assert stopped.value.code == EXIT_TERMINATED
    with pytest.raises(KeyboardInterrupt), StopRequest():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
