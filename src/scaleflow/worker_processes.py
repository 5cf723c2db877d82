"""Workers that are processes of this machine."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import warnings
from itertools import count
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Generic

from scaleflow.child_processes import STOP_SIGNALS, deaf_children
from scaleflow.errors import DataError, ScaleFlowError
from scaleflow.workers import IN_FLIGHT, PATIENCE, AnyResult, AnyTask, Work, WorkerReport, attempt

END_PATIENCE = 2.0
"""Seconds that a worker has to end by itself."""

class WorkerProcesses(Generic[AnyTask, AnyResult]):
    """Implements :class:`scaleflow.workers.Workers`. Each process holds one task; they start when there is work.

    Raises:
        DataError: a process failed, or ended (as the system ends processes when memory runs out).
    """

    def __init__(self, work: Work[AnyTask, AnyResult], workers: int) -> None:
        self.most_in_flight = IN_FLIGHT * workers
        self._work = pickle.dumps(work)
        self._most = workers
        self._numbers = count()
        self._processes: list[Any] = []
        self._idle: list[Connection] = []
        self._busy: dict[Connection, int] = {}

    def begin(self, task: AnyTask) -> int | None:
        """See :class:`scaleflow.workers.Workers`."""
        if not self._idle and len(self._processes) < self._most:
            self._start()
        if not self._idle:
            return None
        connection, number = self._idle.pop(), next(self._numbers)
        # An idle worker reads all of it before it starts, so this does not wait for what it does.
        try:
            _send(connection, task)
        except OSError as error:
            raise _worker_lost() from error
        self._busy[connection] = number
        return number

    def collect(self) -> dict[int, AnyResult]:
        """See :class:`scaleflow.workers.Workers`."""
        done: dict[int, AnyResult] = {}
        for ready in wait(list(self._busy), timeout=PATIENCE):
            assert isinstance(ready, Connection)
            try:
                result = _receive(ready)
            except (EOFError, OSError) as error:
                raise _worker_lost() from error
            if isinstance(result, BaseException):
                raise result
            done[self._busy.pop(ready)] = result
            self._idle.append(ready)
        return done

    def report(self) -> tuple[WorkerReport, ...]:
        """Nothing."""
        return ()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with deaf_children():
            process.start()
        theirs.close()
        self._processes.append(process)
        try:
            ours.send_bytes(self._work)
        except OSError as error:
            raise _worker_lost() from error
        self._idle.append(ours)

    def __enter__(self) -> WorkerProcesses[AnyTask, AnyResult]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in (*self._idle, *self._busy):
            connection.close()
        for process in self._processes:
            process.join(END_PATIENCE if kind is None and not self._busy else 0)
            if process.is_alive():
                process.kill()
                process.join()


def _send(connection: Connection, value: object) -> None:
    """Pickle; what arrays hold follows as it is."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    connection.send_bytes(head)
    connection.send_bytes(len(buffers).to_bytes(4, "big"))
    for buffer in buffers:
        connection.send_bytes(buffer.raw())


def _receive(connection: Connection) -> Any:
    head = connection.recv_bytes()
    number = int.from_bytes(connection.recv_bytes(), "big")
    return pickle.loads(head, buffers=[connection.recv_bytes() for _ in range(number)])


def _worker_lost() -> DataError:
    return DataError(
        "a worker process ended unexpectedly, perhaps for lack of memory: use fewer workers", fields=("workers",)
    )


def _serve(connection: Connection) -> None:
    """Body of a worker process."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # The parent decides what an interruption means.
    warnings.simplefilter("ignore")  # The parent has imported, and warned of, the same.
    try:
        work = pickle.loads(connection.recv_bytes())
        failure = None
        try:
            work.begin()
        except ScaleFlowError as error:
            failure = error
        while True:
            task = _receive(connection)
            _send(connection, failure or attempt(work, task))
            del task
    except (EOFError, OSError):
        return  # The parent has no more work, or is gone.
