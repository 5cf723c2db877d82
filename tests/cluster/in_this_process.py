"""Workers that are none: tasks are done here, when their results are asked for."""

from __future__ import annotations

from typing import Any

from scaleflow.workers import Work, WorkerReport, attempt


class InThisProcess:
    """Implements :class:`scaleflow.workers.Workers`; ``tasks`` are all that were given to it."""

    most_in_flight = 3

    def __init__(self, work: Work[Any, Any]) -> None:
        self._work = work
        self.tasks: list[Any] = []
        self._waiting: dict[int, Any] = {}

    def begin(self, task: Any) -> int | None:
        if len(self._waiting) == 2:
            return None
        self.tasks.append(task)
        self._waiting[len(self.tasks)] = task
        return len(self.tasks)

    def collect(self) -> dict[int, Any]:
        number = max(self._waiting)  # the last one first
        return {number: attempt(self._work, self._waiting.pop(number))}

    def report(self) -> tuple[WorkerReport, ...]:
        return ()

    def __enter__(self) -> InThisProcess:
        return self

    def __exit__(self, *error: object) -> None:
        pass
