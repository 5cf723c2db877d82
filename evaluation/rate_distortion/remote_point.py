"""Points of a sweep that are measured on nodes of a cluster, which see the folder of the results."""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from scaleflow.errors import UsageError
from scaleflow.evaluation.rate_distortion.measure_point import PointTask, attempt_point
from scaleflow.evaluation.rate_distortion.point import RatePoint

MARK = ".seen-by-all"
"""A file in the folder of the results by which a node knows that it is the same folder."""


@dataclass(frozen=True)
class RemotePoint:
    """A point to measure: as on this machine, and the identity that it has here."""

    task: PointTask
    key: str
    results: Path
    scratch: Path
    earlier: RatePoint | None

    @staticmethod
    def of(task: PointTask, results: Path, scratch: Path, earlier: RatePoint | None) -> RemotePoint:
        """With places that do not depend on where a process works."""
        return RemotePoint(task, task.key, results.resolve(), scratch.resolve(), earlier)

    def __str__(self) -> str:
        return f"{self.task.source.clip.name}, {self.task.codec.name} {self.task.setting.label}"


@dataclass(frozen=True)
class PointWork:
    """Implements :class:`scaleflow.workers.Work`: measures points.

    Attributes:
        folder: of the results; ``mark`` is what its file :data:`MARK` holds.
        start: the folder to work in, from which files are named.
    """

    folder: Path
    mark: str
    start: Path
    threads: int

    def begin(self) -> None:
        """See :class:`scaleflow.workers.Work`.

        Raises:
            UsageError: this node does not see the folders.
        """
        torch.set_num_threads(self.threads)
        try:
            seen = (self.folder / MARK).read_text()
            os.chdir(self.start)
        except OSError as error:
            raise UsageError(f"does not see {error.filename}: use folders that all nodes share") from error
        if seen != self.mark:
            raise UsageError(f"sees another folder as {self.folder}: use one that all nodes share")

    def do(self, task: RemotePoint) -> tuple[PointTask, RatePoint | None, str | None]:
        """A point, or why it cannot be measured."""
        if task.task.key != task.key:
            return task.task, None, f"node {platform.node()} has other programs or weights than this machine"
        return attempt_point(task.task, task.results, task.scratch, task.earlier)


@contextmanager
def point_work(results: Path, threads: int) -> Iterator[PointWork]:
    """Work into a folder of this machine, which is marked within."""
    folder, mark = results.resolve(), secrets.token_hex(8)
    (folder / MARK).write_text(mark)
    try:
        yield PointWork(folder, mark, Path.cwd(), threads)
    finally:
        (folder / MARK).unlink(missing_ok=True)
