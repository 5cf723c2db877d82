"""Work in parts, by workers beside this process: results in the order of the tasks, and a bound on what is held.

What does the work is a :class:`Workers`: processes of this machine, or a cluster. What is done is a :class:`Work`, of
which each worker has one copy.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from scaleflow.errors import DataError, ScaleFlowError
from scaleflow.limits import is_out_of_memory

logger = logging.getLogger(__name__)

PATIENCE = 0.2
"""Seconds that workers are waited for between looks at whether to stop."""

IN_FLIGHT = 2
"""Tasks for each worker that may be begun and not yet delivered, where nothing else is said: one is done, and one may
wait for an earlier one."""

Task = TypeVar("Task", contravariant=True)
Result = TypeVar("Result", covariant=True)
AnyTask = TypeVar("AnyTask")
AnyResult = TypeVar("AnyResult")


class Work(Protocol[Task, Result]):
    """What workers do. Travels to each of them by pickling, once."""

    @property
    def threads(self) -> int:
        """Of each worker."""

    def begin(self) -> None:
        """Set a worker up, before its first task.

        Raises:
            ScaleFlowError: it lacks something.
        """

    def do(self, task: Task) -> Result:
        """Do one task. A task and its result are pickled; NumPy arrays in them are not copied on the way."""


@dataclass(frozen=True)
class WorkerReport:
    """What a worker of a cluster has done and is doing.

    Attributes:
        name: of its node, with a number.
        node: the name of its machine.
        process: its process number there.
        finished: tasks done.
        task: what it does now, in words; None where it waits.
    """

    name: str
    node: str
    process: int
    finished: int
    task: str | None


class Workers(Protocol[Task, Result]):
    """Workers with a copy of some work each; a context manager that ends them."""

    most_in_flight: int
    """Tasks that may be begun and not yet delivered."""

    def begin(self, task: Task) -> int | None:
        """Give a task to a worker; its number, or None where no worker can take one now."""

    def collect(self) -> Mapping[int, Result]:
        """Results by the numbers of their tasks; waits a little where there are none.

        Raises:
            ScaleFlowError: a task failed, or could not be done.
        """

    def report(self) -> tuple[WorkerReport, ...]:
        """Who does what; of processes of this machine nothing is told."""

    def __enter__(self) -> Workers[Task, Result]: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def attempt(work: Work[AnyTask, AnyResult], task: AnyTask) -> AnyResult | ScaleFlowError:
    """Do a task in a worker; a failure that a person is to see is a result as well."""
    try:
        return work.do(task)
    except (ScaleFlowError, RuntimeError, MemoryError) as error:
        logger.debug("a worker failed", exc_info=True)
        if is_out_of_memory(error):
            return DataError("not enough memory: use smaller pictures or fewer workers", fields=("workers",))
        return error if isinstance(error, ScaleFlowError) else DataError(f"coding failed: {error}")


class InOrder(Generic[AnyTask, AnyResult]):
    """Results of tasks in the order of the tasks, with back-pressure: tasks are not asked for before there is room.

    Args:
        tasks: what is to be done; None has nothing to be done, and None is its result in its turn.
        workers: that do it.
        stop: asked while it waits; once it says True, the results are those that are complete and follow the one
            before.

    Attributes:
        stopped: whether it ended because it was to stop.
    """

    def __init__(
        self,
        tasks: Iterable[AnyTask | None],
        workers: Workers[AnyTask, AnyResult],
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._tasks, self._workers, self._stop = tasks, workers, stop
        self._under_way: deque[int | None] = deque()
        self._done: dict[int, Any] = {}
        self.stopped = False

    def __iter__(self) -> Iterator[AnyResult | None]:
        for task in self._tasks:
            while not self._stop():
                if self._begin(task):
                    del task  # It may be large, and the next one is made before this name is used again.
                    break
                if self._is_next_done:
                    yield from self._following()
                else:
                    self._done.update(self._workers.collect())
            if self._stop():
                self.stopped = True
                break
        while True:
            yield from self._following()
            if not self._under_way:
                return
            if self._stop():
                self.stopped = True
                return
            self._done.update(self._workers.collect())

    def _begin(self, task: AnyTask | None) -> bool:
        if len(self._under_way) >= self._workers.most_in_flight:
            return False
        if task is None:
            self._under_way.append(None)
            return True
        number = self._workers.begin(task)
        if number is None:
            return False
        self._under_way.append(number)
        return True

    @property
    def _is_next_done(self) -> bool:
        return bool(self._under_way) and (self._under_way[0] is None or self._under_way[0] in self._done)

    def _following(self) -> Iterator[AnyResult | None]:
        while self._is_next_done:
            number = self._under_way.popleft()
            yield None if number is None else self._done.pop(number)


def as_they_finish(tasks: Iterable[AnyTask], workers: Workers[AnyTask, AnyResult]) -> Iterator[AnyResult]:
    """Results of tasks as soon as they are there, with the same back-pressure."""
    under_way = 0
    for task in tasks:
        while under_way >= workers.most_in_flight or workers.begin(task) is None:
            finished = workers.collect()
            under_way -= len(finished)
            yield from finished.values()
        under_way += 1
    while under_way:
        finished = workers.collect()
        under_way -= len(finished)
        yield from finished.values()
