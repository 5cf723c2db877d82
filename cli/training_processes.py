"""Start a run in this process, or in several on this machine; under ``torchrun`` each process calls this once."""

from __future__ import annotations

import logging
import multiprocessing
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import torch
from torch.multiprocessing.spawn import ProcessException, spawn

from scaleflow.cli.console import start_logging
from scaleflow.cli.interruption import StopRequest
from scaleflow.errors import DataError, ScaleFlowError, UsageError
from scaleflow.training.codec.configuration import TrainingConfig
from scaleflow.training.codec.run import train
from scaleflow.training.loop.loop import TrainingProgress

Report = Callable[[TrainingProgress], None]


def launch(
    config: TrainingConfig,
    folder: Path,
    *,
    resume: bool,
    device: str,
    processes: int,
    threads: int,
    report: Report,
    stop: Callable[[], bool],
) -> bool:
    """See :func:`scaleflow.training.codec.run.train`; ``threads`` are of each process.

    Raises:
        UsageError, DataError: as :func:`scaleflow.training.codec.run.train`, also where another process fails.
    """
    if processes > 1 and "WORLD_SIZE" in os.environ:
        raise UsageError(f"--processes {processes} under torchrun: it has started the processes already, leave it out")
    if processes == 1:
        torch.set_num_threads(threads)
        return train(config, folder, resume=resume, device=device, report=report, stop=stop)
    outcome = multiprocessing.get_context("spawn").Queue()
    arguments = (config, folder, resume, device, processes, threads, _free_port(), outcome, report)
    with _quiet_children():
        group = spawn(_train_one, arguments, nprocs=processes, join=False)
    asked = False
    try:
        while not group.join(timeout=0.5):
            if stop() and not asked:
                asked = True
                for process in group.processes:
                    process.terminate()  # taken as the wish to stop at a checkpoint
    except ProcessException:
        if outcome.empty():
            raise  # otherwise one process failed with an error that is known, and took the others with it
    kind, value = outcome.get(timeout=10)
    if kind == "error":
        raise {error.__name__: error for error in (UsageError, DataError)}.get(value[0], DataError)(value[1])
    return bool(value)


def _train_one(
    rank: int,
    config: TrainingConfig,
    folder: Path,
    resume: bool,
    device: str,
    processes: int,
    threads: int,
    port: int,
    outcome: Queue[tuple[str, Any]],
    report: Report,
) -> None:
    """One of several processes; only the first one's outcome counts, unless it never comes."""
    start_logging(0)
    torch.set_num_threads(threads)
    local = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), **{k: str(v) for k, v in local.items()}}
    with StopRequest() as stop:
        try:
            done = train(config, folder, resume=resume, device=device, report=report, stop=stop.is_set)
        except ScaleFlowError as error:
            outcome.put(("error", (type(error).__name__, str(error))))
            return
    if rank == 0:
        outcome.put(("done", done))


@contextmanager
def _quiet_children() -> Iterator[None]:
    """New processes do not show what libraries warn of while they are imported, as this one does not."""
    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore::FutureWarning,ignore::DeprecationWarning"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
