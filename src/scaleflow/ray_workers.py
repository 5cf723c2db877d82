"""Workers that are actors of a Ray cluster: one a process, with the work loaded, replaced where they are lost."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import pickle
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any, Generic

import numpy as np

from scaleflow.cluster import ClusterSettings
from scaleflow.errors import DataError, ScaleFlowError, UsageError
from scaleflow.ray_connection import connected
from scaleflow.remote_worker import Greeting, RemoteWorker
from scaleflow.workers import IN_FLIGHT, PATIENCE, AnyResult, AnyTask, Work, WorkerReport

logger = logging.getLogger(__name__)

AHEAD = {True: 1, False: 2}
"""Tasks that a worker is given: one, or of another machine's (not local) the next one too, whose way there then costs
no time."""


@dataclass
class _Begun:
    """A task under way. Ray's store holds what it is made of until it is done."""

    number: int
    label: str
    content: Any
    losses: int = 0


@dataclass(eq=False)
class _Worker:
    """An actor; ``opening`` is what it was asked last before it takes tasks."""

    actor: Any
    opening: Any
    name: str = "a worker"
    greeting: Greeting | None = None
    is_ready: bool = False
    finished: int = 0
    begun: dict[Any, _Begun] = field(default_factory=dict)


class RayWorkers(Generic[AnyTask, AnyResult]):
    """Implements :class:`scaleflow.workers.Workers` on a Ray cluster.

    The work, weights included, is put into Ray's store once, from where each node has it once. A worker that runs other
    code is not used. What a lost worker was doing is done again by another, in place of which a new one starts.

    Raises:
        UsageError: the cluster cannot be reached, has no room, or no worker that runs the same code. On entering.
        DataError: a task failed, or its workers were lost too often.
    """

    def __init__(self, work: Work[AnyTask, AnyResult], settings: ClusterSettings) -> None:
        self.most_in_flight = 0
        self._settings, self._threads = settings, work.threads
        self._pickled = pickle.dumps(work)
        self._ray: Any = None
        self._stack = contextlib.ExitStack()
        self._numbers = count()
        self._names: Counter[str] = Counter()
        self._workers: list[_Worker] = []
        self._again: deque[_Begun] = deque()
        self._refused: list[str] = []
        self._told = 0
        self._failed_starts = 0
        self._last_alive = time.monotonic()
        self._own = Greeting.of_this_process()
        self._instructions = {self._own.instructions}

    def __enter__(self) -> RayWorkers[AnyTask, AnyResult]:
        try:
            self._ray = self._stack.enter_context(connected(self._settings, self._threads))
            self._stack.callback(self._end_workers)
            number = self._most_workers()
            self.most_in_flight = self._settings.in_flight or IN_FLIGHT * number
            self._content = self._ray.put(np.frombuffer(self._pickled, np.uint8))
            self._digest = hashlib.sha256(self._pickled).hexdigest()
            for _ in range(number):
                self._start()
            self._last_alive = time.monotonic()
            logger.info("cluster %s: up to %d workers of %d threads", self._settings.address, number, self._threads)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def begin(self, task: AnyTask) -> int | None:
        """See :class:`scaleflow.workers.Workers`."""
        worker = self._free_worker()
        if worker is None:
            return None
        with self._answering():
            begun = _Begun(next(self._numbers), str(task), self._ray.put(task))
            self._give(worker, begun)
        return begun.number

    def collect(self) -> dict[int, AnyResult]:
        """See :class:`scaleflow.workers.Workers`."""
        with self._answering():
            return self._collect()

    def _collect(self) -> dict[int, AnyResult]:
        asked = {ref: worker for worker in self._workers for ref in (worker.opening, *worker.begun) if ref is not None}
        done: dict[int, AnyResult] = {}
        if not asked:
            time.sleep(PATIENCE)
        else:
            ready, _ = self._ray.wait(list(asked), num_returns=1, timeout=PATIENCE)
            more, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=0)
            for ref in dict.fromkeys([*ready, *more]):
                worker = asked[ref]
                if worker not in self._workers:
                    continue  # It was lost with another of its tasks.
                if ref == worker.opening:
                    self._go_on_opening(worker, ref)
                else:
                    done.update(self._take(worker, ref))
        while self._again and (free := self._free_worker(for_again=True)) is not None:
            self._give(free, self._again.popleft())
        self._check_alive()
        return done

    def report(self) -> tuple[WorkerReport, ...]:
        """See :class:`scaleflow.workers.Workers`."""
        return tuple(
            WorkerReport(
                worker.name,
                worker.greeting.node,
                worker.greeting.process,
                worker.finished,
                next((begun.label for begun in worker.begun.values()), None),
            )
            for worker in self._workers
            if worker.greeting is not None and worker.is_ready
        )

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        """Around calls of Ray: what fails there but for tasks and workers is the cluster.

        Raises:
            DataError: says so.
        """
        from ray.exceptions import ObjectStoreFullError, OutOfDiskError, RayError

        try:
            yield
        except (ObjectStoreFullError, OutOfDiskError) as error:
            raise DataError(
                f"cluster {self._settings.address}: has no room for {self.most_in_flight} tasks at a time: use a "
                "smaller in_flight",
                fields=("in_flight",),
            ) from error
        except (RayError, ConnectionError) as error:
            raise DataError(f"cluster {self._settings.address}: was lost: {_reason(error)}") from error

    def _most_workers(self) -> int:
        cores = [node["Resources"].get("CPU", 0) for node in self._ray.nodes() if node["Alive"]]
        number = sum(int(of_node // self._threads) for of_node in cores)
        if not number:
            raise UsageError(
                f"cluster {self._settings.address}: no node has the {self._threads} cores that a worker of so many "
                f"threads takes; the largest has {max(cores, default=0):g}: use fewer threads",
                fields=("cluster", "threads"),
            )
        return min(number, self._settings.workers or number)

    def _start(self) -> None:
        options = {"num_cpus": self._threads, "max_restarts": 0, "max_task_retries": 0}
        actor = self._ray.remote(**options)(RemoteWorker).remote()
        self._workers.append(_Worker(actor, actor.greet.remote()))

    def _go_on_opening(self, worker: _Worker, ref: Any) -> None:
        """A worker has said what it is, or has taken the work."""
        try:
            answer = self._ray.get(ref)
        except Exception as error:
            self._lost_at_start(worker, error)
            return
        if worker.greeting is None:
            worker.greeting = answer
            self._names[answer.node] += 1
            worker.name = f"{answer.node}-{self._names[answer.node]}"
            difference = self._own.difference(answer)
            if difference is not None:
                self._refuse(worker, f"{difference}: install the same on all nodes")
                return
            if answer.instructions not in self._instructions:
                self._instructions.add(answer.instructions)
                logger.warning(
                    "worker %s computes with %s, this machine with %s: bytes may differ from those of one machine",
                    worker.name,
                    answer.instructions,
                    self._own.instructions,
                )
            worker.opening = worker.actor.prepare.remote(self._content, self._digest)
            return
        if answer is not None:
            self._refuse(worker, str(answer))
            return
        worker.opening, worker.is_ready = None, True
        self._tell_refused()
        logger.info("worker %s is ready (process %d)", worker.name, worker.greeting.process)

    def _lost_at_start(self, worker: _Worker, error: Exception) -> None:
        reason = _reason(error)
        if "No module named 'scaleflow" in str(error) or "has no attribute" in str(error):
            self._refuse(
                worker, f"has no ScaleFlow {self._own.scaleflow} of this code: install the same on all nodes"
            )
            return
        self._failed_starts += 1
        self._remove(worker)
        if self._failed_starts > self._settings.retries:
            raise DataError(f"cluster {self._settings.address}: workers cannot be started: {reason}")
        logger.warning("a worker was lost while it started (%s)", reason)
        self._start()

    def _refuse(self, worker: _Worker, reason: str) -> None:
        """Go on without a worker that is not to be used; where none is left, nothing goes on."""
        self._remove(worker)
        self._refused.append(f"worker {worker.name} {reason}")
        if not self._workers:
            raise UsageError(f"cluster {self._settings.address}: {self._refused[0]}", fields=("cluster",))
        self._tell_refused()

    def _tell_refused(self) -> None:
        """Once it is known that others work."""
        if any(worker.is_ready for worker in self._workers):
            for sentence in self._refused[self._told :]:
                logger.warning("%s; it is not used", sentence)
            self._told = len(self._refused)

    def _remove(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        with contextlib.suppress(Exception):
            self._ray.kill(worker.actor)

    def _free_worker(self, for_again: bool = False) -> _Worker | None:
        """The one with the least to do, among those that can take a task; what is done again goes first."""
        if self._again and not for_again:
            return None
        ready = [worker for worker in self._workers if worker.is_ready]
        chosen = min(ready, key=lambda worker: len(worker.begun), default=None)
        if chosen is None:
            return None
        # While others still start, the next task is rather theirs.
        most = AHEAD[self._settings.is_local] if chosen.finished else 1
        return chosen if len(chosen.begun) < most else None

    def _give(self, worker: _Worker, begun: _Begun) -> None:
        worker.begun[worker.actor.do.remote(begun.content)] = begun

    def _take(self, worker: _Worker, ref: Any) -> dict[int, AnyResult]:
        """The result of a task that has ended."""
        from ray.exceptions import RayError, RayTaskError

        begun = worker.begun[ref]
        try:
            result = self._ray.get(ref)
        except RayTaskError as error:
            raise DataError(f"{begun.label}: worker {worker.name} failed: {_reason(error)}") from error
        except RayError as error:
            self._lost(worker, error)
            return {}
        del worker.begun[ref]
        if isinstance(result, ScaleFlowError):
            raise result
        worker.finished += 1
        return {begun.number: result}

    def _lost(self, worker: _Worker, error: Exception) -> None:
        """What a worker was doing is done again."""
        reason = _reason(error)
        begun = list(worker.begun.values())
        worker.begun.clear()
        self._remove(worker)
        begun[0].losses += 1  # The others were only waiting.
        losses, retries = begun[0].losses, self._settings.retries
        if losses > retries:
            raise DataError(
                f"{begun[0].label}: {losses} workers were lost over it, the last one {worker.name} ({reason}); perhaps "
                "it takes more memory than there is"
            )
        logger.warning(
            "worker %s was lost (%s): %s is done again, try %d of %d",
            worker.name,
            reason,
            begun[0].label,
            losses + 1,
            retries + 1,
        )
        self._again.extend(begun)
        self._start()

    def _check_alive(self) -> None:
        if any(worker.is_ready for worker in self._workers):
            self._last_alive = time.monotonic()
        elif time.monotonic() - self._last_alive > self._settings.start_timeout:
            raise DataError(
                f"cluster {self._settings.address}: no worker was ready within {self._settings.start_timeout:g} s: "
                "its cores may be taken by other work"
            )

    def _end_workers(self) -> None:
        for worker in self._workers:
            with contextlib.suppress(Exception):
                self._ray.kill(worker.actor)
        self._workers.clear()


def _reason(error: Exception) -> str:
    """What Ray says of a failure, in a line."""
    kinds = {
        "OutOfMemoryError": "its node ran out of memory",
        "ActorUnavailableError": "it does not answer",
        "NodeDiedError": "its node is gone",
    }
    known = kinds.get(type(error).__name__)
    if known is not None:
        return known
    if "died" in type(error).__name__.lower() or type(error).__name__ == "RayActorError":
        return "its process ended"
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
