"""Coding groups of pictures side by side, in processes of their own.

A group starts with a key frame, which resets all state, so that its bytes do not depend on where it is coded. Memory
is bounded: each worker holds one group, this process the one that it is gathering and the payloads that wait for their
turn.
"""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any

import numpy as np
import torch

from scaleflow.child_processes import STOP_SIGNALS, deaf_children
from scaleflow.codec.encoding.key_frames import PlannedItem, PlannedPicture
from scaleflow.codec.encoding.picture_coder import CodedPicture, CoderSettings, PictureCoder
from scaleflow.codec.encoding.rate_control import QualityControl
from scaleflow.codec.models.region_coding import RegionMask
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Picture, Planes, VideoProperties
from scaleflow.codec.video.audio import AudioPacketData
from scaleflow.errors import DataError, ScaleFlowError
from scaleflow.limits import is_out_of_memory

logger = logging.getLogger(__name__)

PATIENCE = 0.2
"""Seconds between looks at whether to stop."""

END_PATIENCE = 2.0
"""Seconds that a worker has to end by itself."""

WAITING_GROUPS = 2
"""Coded groups for each worker that may wait for an earlier one."""


@dataclass(frozen=True)
class _PlannedCoding:
    """How a worker is to code a picture whose planes follow."""

    pts: int
    key: bool
    quality: float
    region: RegionMask | None


@dataclass
class _Group:
    """Pictures from a key frame on, with the audio packets between them in their places."""

    orders: list[_PlannedCoding] = field(default_factory=list)
    planes: list[Planes] = field(default_factory=list)
    layout: list[AudioPacketData | None] = field(default_factory=list)

    def add(self, item: PlannedItem, control: QualityControl) -> None:
        if isinstance(item, AudioPacketData):
            self.layout.append(item)
            return
        self.orders.append(_PlannedCoding(item.picture.pts, item.key, control.choose(item), item.region))
        self.planes.append(item.picture.planes)
        self.layout.append(None)


@dataclass(frozen=True)
class _Setup:
    """What a worker needs once."""

    model: VideoModel
    properties: VideoProperties
    settings: CoderSettings
    threads: int


class WorkerPool:
    """Worker processes with the model loaded; a context manager that ends them.

    Raises:
        DataError: a worker failed, or ended (as the system ends processes when memory runs out).
    """

    def __init__(
        self,
        model: VideoModel,
        properties: VideoProperties,
        settings: CoderSettings,
        *,
        workers: int,
        threads: int = 1,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.stopped = False
        """Whether it was asked to stop while there was work."""
        self._stop = stop
        self._setup = pickle.dumps(_Setup(model, properties, settings, threads))
        self._most = workers
        self._processes: list[Any] = []
        self._idle: list[Connection] = []
        self._busy: dict[Connection, int] = {}

    def code(self, items: Iterable[PlannedItem], control: QualityControl) -> Iterator[CodedPicture | AudioPacketData]:
        """Code a stream; pictures and audio come out in the order in which they went in.

        When asked to stop, it ends after the last group that is complete and follows the one before.
        """
        layouts: dict[int, list[AudioPacketData | None]] = {}
        done: dict[int, list[CodedPicture]] = {}
        following = 0
        for number, group in enumerate(_groups(items, control)):
            layouts[number] = group.layout
            while not self._stop():
                connection = self._free_worker() if number < following + WAITING_GROUPS * self._most else None
                if connection is not None:
                    self._send(connection, number, group)
                    break
                self._collect(done)
                while following in done:
                    yield from _arranged(layouts.pop(following), done.pop(following))
                    following += 1
            if self._stop():
                self.stopped = True
                break
        while True:
            while following in done:
                yield from _arranged(layouts.pop(following), done.pop(following))
                following += 1
            if not self._busy:
                return
            if self._stop():
                self.stopped = True
                return
            self._collect(done)

    def _free_worker(self) -> Connection | None:
        if not self._idle and len(self._processes) < self._most:
            self._start()
        return self._idle.pop() if self._idle else None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs,), daemon=True)
        with deaf_children():
            process.start()
        theirs.close()
        self._processes.append(process)
        try:
            ours.send_bytes(self._setup)
        except OSError as error:
            raise _worker_lost() from error
        self._idle.append(ours)

    def _send(self, connection: Connection, number: int, group: _Group) -> None:
        # An idle worker reads all of it before it starts to code, so this does not wait for coding.
        try:
            connection.send(group.orders)
            for planes in group.planes:
                for plane in planes:
                    connection.send_bytes(np.ascontiguousarray(plane).data.cast("B"))
        except OSError as error:
            raise _worker_lost() from error
        group.planes.clear()
        self._busy[connection] = number

    def _collect(self, done: dict[int, list[CodedPicture]]) -> None:
        """Wait a little for workers that have finished."""
        for ready in wait(list(self._busy), timeout=PATIENCE):
            assert isinstance(ready, Connection)
            try:
                result = ready.recv()
            except (EOFError, OSError) as error:
                raise _worker_lost() from error
            if isinstance(result, BaseException):
                raise result
            done[self._busy.pop(ready)] = result
            self._idle.append(ready)

    def __enter__(self) -> WorkerPool:
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


def _groups(items: Iterable[PlannedItem], control: QualityControl) -> Iterator[_Group]:
    group = _Group()
    for item in items:
        if isinstance(item, PlannedPicture) and item.key and group.orders:
            yield group
            group = _Group()
        group.add(item, control)
    if group.layout:
        yield group


def _arranged(
    layout: list[AudioPacketData | None], coded: list[CodedPicture]
) -> Iterator[CodedPicture | AudioPacketData]:
    pictures = iter(coded)
    return (next(pictures) if place is None else place for place in layout)


def _worker_lost() -> DataError:
    return DataError(
        "a worker process ended unexpectedly, perhaps for lack of memory: use fewer workers", fields=("workers",)
    )


def _work(connection: Connection) -> None:
    """Body of a worker process."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # The parent decides what an interruption means.
    warnings.simplefilter("ignore")  # The parent has imported, and warned of, the same.
    try:
        setup: _Setup = pickle.loads(connection.recv_bytes())
        torch.set_num_threads(setup.threads)
        while True:
            connection.send(_code_group(connection, setup))
    except (EOFError, OSError):
        return  # The parent has no more work, or is gone.


def _code_group(connection: Connection, setup: _Setup) -> list[CodedPicture] | Exception:
    orders: list[_PlannedCoding] = connection.recv()
    pictures = [Picture(_receive_planes(connection, setup.properties), order.pts) for order in orders]
    coder = PictureCoder(setup.model, setup.properties, setup.settings)
    try:
        return [
            coder.code(picture, key=order.key, quality=order.quality, region=order.region)
            for picture, order in zip(pictures, orders, strict=True)
        ]
    except (ScaleFlowError, RuntimeError, MemoryError) as error:
        logger.debug("a worker failed", exc_info=True)
        if is_out_of_memory(error):
            return DataError("not enough memory: use smaller pictures or fewer workers", fields=("workers",))
        return error if isinstance(error, ScaleFlowError) else DataError(f"coding failed: {error}")


def _receive_planes(connection: Connection, properties: VideoProperties) -> Planes:
    dtype = np.uint8 if properties.bit_depth == 8 else np.uint16
    full = (properties.height, properties.width)
    half = full if properties.working_format == "rgb" else tuple((side + 1) // 2 for side in full)
    return tuple(np.frombuffer(connection.recv_bytes(), dtype).reshape(shape) for shape in (full, half, half))
