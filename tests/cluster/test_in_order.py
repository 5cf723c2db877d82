"""Order, back-pressure and stopping, whatever the workers are."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from scaleflow.errors import DataError
from scaleflow.worker_processes import WorkerProcesses
from scaleflow.workers import InOrder, WorkerReport, as_they_finish


@dataclass
class Shuffled:
    """Workers that finish in any order, and count what is in flight."""

    workers: int
    most_in_flight: int
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    busy: dict[int, int] = field(default_factory=dict)
    count: int = 0

    def begin(self, task: int) -> int | None:
        if len(self.busy) == self.workers:
            return None
        self.busy[self.count] = task
        self.count += 1
        return self.count - 1

    def collect(self) -> dict[int, int]:
        number = self.chance.choice(list(self.busy))
        return {number: 10 * self.busy.pop(number)}

    def report(self) -> tuple[WorkerReport, ...]:
        return ()

    def __enter__(self) -> Shuffled:
        return self

    def __exit__(self, *error: object) -> None:
        pass


@pytest.mark.parametrize(("workers", "window"), [(1, 1), (3, 6), (4, 4), (5, 2)])
def test_results_keep_the_order_and_the_window_is_never_exceeded(workers: int, window: int) -> None:
    asked = delivered = widest = 0

    def tasks() -> Iterator[int | None]:
        nonlocal asked, widest
        for number in range(40):
            asked += 1
            # The one that is asked for may wait for room.
            widest = max(widest, asked - delivered)
            yield None if number % 9 == 4 else number

    results = []
    for result in InOrder(tasks(), Shuffled(workers, window)):
        results.append(result)
        delivered += 1
    assert results == [None if number % 9 == 4 else 10 * number for number in range(40)]
    assert window < widest <= window + 1


@pytest.mark.parametrize("after", [0, 1, 7])
def test_what_is_stopped_is_a_beginning(after: int) -> None:
    results: list[int | None] = []
    order = InOrder(iter(range(40)), Shuffled(3, 6), stop=lambda: len(results) >= after)
    for result in order:
        results.append(result)
    assert order.stopped and after <= len(results) <= after + 6
    assert results == [10 * number for number in range(len(results))]


def test_results_as_they_finish_are_all() -> None:
    results = list(as_they_finish(iter(range(40)), Shuffled(3, 4)))
    assert sorted(results) == [10 * number for number in range(40)] and results != sorted(results)


@dataclass(frozen=True)
class Doubling:
    """Work that shows what travels."""

    threads: int = 1
    fails_at_the_start: bool = False

    def begin(self) -> None:
        if self.fails_at_the_start:
            raise DataError("not set up")

    def do(self, task: list[np.ndarray]) -> list[np.ndarray]:
        if not task:
            raise DataError("nothing there")
        return [2 * array for array in task]


def test_arrays_travel_to_processes_and_back() -> None:
    tasks = [[np.full((number + 1, 3), number, np.uint16), np.arange(4)[::2]] for number in range(5)]
    with WorkerProcesses(Doubling(), 2) as workers:
        results = list(InOrder(iter(tasks), workers))
    for task, result in zip(tasks, results, strict=True):
        assert result is not None
        assert all(np.array_equal(2 * sent, back) for sent, back in zip(task, result, strict=True))


@pytest.mark.parametrize(("work", "message"), [(Doubling(), "nothing there"), (Doubling(1, True), "not set up")])
def test_failures_come_back_from_processes(work: Doubling, message: str) -> None:
    with pytest.raises(DataError, match=message), WorkerProcesses(work, 1) as workers:
        list(InOrder(iter([[]]), workers))
