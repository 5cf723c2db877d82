"""Runs a network for video and the dense one side by side, frame by frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from scaleflow.codec.models.picture_change import PictureChange
from scaleflow.efficient_nets.data.window import Window
from scaleflow.efficient_nets.skip_convolutions.decoded_change import DecodedChange
from scaleflow.efficient_nets.tasks.task import TaskMeasure, example, generator_of_frame
from scaleflow.efficient_nets.video.network import VideoNetwork
from scaleflow.evaluation.networks.point import NetworkPoint, PointIdentity
from scaleflow.evaluation.networks.point_record import PointRecord
from scaleflow.evaluation.networks.videos import EvaluatedData, EvaluatedVideo

_Frame: TypeAlias = tuple[tuple[int, int], Tensor | None, Tensor, Tensor, float, float]
"""(Height, width) as it was read, target, outputs of both networks, and the seconds of each."""


def measure_network(
    identity: PointIdentity,
    network: VideoNetwork | None,
    dense: VideoNetwork,
    task: TaskMeasure,
    classes: Sequence[str],
    data: EvaluatedData,
    repeats: int = 1,
    progress: Callable[[int], None] = lambda frames: None,
    change_maps: Callable[[], DecodedChange] | None = None,
) -> NetworkPoint:
    """Measure a point.

    Both networks see each frame one right after the other, so that other load on the machine falls on both. Times are
    those of the networks alone: reading, scaling, and what is made of their outputs are in neither.

    Args:
        network: in eval mode; None to measure the dense one alone.
        dense: the same with nothing converted.
        classes: of the labels.
        repeats: run all so often, and take the shortest time of each frame.
        progress: is given the number of frames that are done.
        change_maps: makes the maps of changes that the network is told of, where its method has them.

    Raises:
        DataError: pictures or labels cannot be read.
        UsageError: the frames of a video have different sizes, or say nothing of their changes where maps
            are made of them.
    """
    record = PointRecord.of(task, classes, labelled=bool(data.videos[0].targets))
    for model in (network, dense):
        if model is not None:
            model.clear_cost()
    with torch.inference_mode():
        for video in data.videos:
            frames = _frames(video, identity.size, network, dense, task, change_maps, warm=bool(record.seconds))
            _run_video(video, frames, network, dense, task, record, progress)
        for _ in range(repeats - 1):
            for video in data.videos:
                frames = _frames(video, identity.size, network, dense, task, change_maps, warm=True)
                _time_video(video, frames, record, progress)
    return record.point(identity, task.measure)


def _run_video(
    video: EvaluatedVideo,
    frames: Iterator[_Frame],
    network: VideoNetwork | None,
    dense: VideoNetwork,
    task: TaskMeasure,
    record: PointRecord,
    progress: Callable[[int], None],
) -> None:
    """Measures, costs and times of all frames."""
    before: tuple[Tensor, Tensor] | None = None
    for source, target, output, full, seconds, dense_seconds in frames:
        shape = source if target is None else _map_size(target, source)
        wanted = task.prediction(full[0], shape)
        found = wanted if output is full else task.prediction(output[0], shape)
        if target is not None:
            record.add_found(video.name, len(video.targets) == 1, found, target)
            record.dense_found.add(video.name, wanted, target)
        record.agreed.add(video.name, found, wanted)
        if before is not None:
            record.changes.append((task.change(before[0], found), task.change(before[1], wanted)))
        before = found, wanted
        record.videos.append(video.name)
        latest = (network or dense).cost().latest[-1]
        record.keys.append(latest.key)
        record.spent.append(latest.total)
        record.full.append(dense.cost().latest[-1].total)
        record.seconds.append(seconds)
        record.dense_seconds.append(dense_seconds)
        progress(len(record.seconds))


def _time_video(
    video: EvaluatedVideo, frames: Iterator[_Frame], record: PointRecord, progress: Callable[[int], None]
) -> None:
    """Shorter times where frames take less than before."""
    for number, (*_, seconds, dense_seconds) in enumerate(frames, record.videos.index(video.name)):
        record.shorten(number, seconds, dense_seconds)
        progress(number)


def _frames(
    video: EvaluatedVideo,
    size: tuple[int, int],
    network: VideoNetwork | None,
    dense: VideoNetwork,
    task: TaskMeasure,
    change_maps: Callable[[], DecodedChange] | None,
    warm: bool,
) -> Iterator[_Frame]:
    """Frames in their order. Without a network, output and time are those of the dense one.

    The first two calls of all prepare kernels, of first frames and of later ones; they are made before where the
    networks are not ``warm``.
    """
    models = [dense] if network is None else [dense, network]
    for model in models:
        model.reset()
    maps = None if change_maps is None else change_maps()
    changes: Iterator[PictureChange | None] = iter(()) if maps is None else video.changes()
    for source, frame, target in shown_frames(task, video, size):
        if not warm:
            for model in models:
                model(frame)
                if maps is not None and model is network:
                    model.change_map(torch.ones(1, 1))
                model(_changed_in_part(frame))
                model.reset()
                model.clear_cost()
            warm = True
        if maps is not None and network is not None:
            changed = maps(next(changes))
            if changed is None:
                network.reset()
            else:
                network.change_map(changed)
        done = [_timed(model, frame) for model in models]
        yield source, target, done[-1][0], done[0][0], done[-1][1], done[0][1]


def shown_frames(
    task: TaskMeasure, video: EvaluatedVideo, size: tuple[int, int]
) -> Iterator[tuple[tuple[int, int], Tensor, Tensor | None]]:
    """(height, width) of each picture as it was read, and what networks are shown of it: (1, 3, H, W) of ``size``.

    ``size`` is (width, height). The third is the target, where that is known.
    """
    for number, picture in enumerate(video.pictures()):
        source = picture.shape[1], picture.shape[2]
        whole = Window.whole(source, size)
        shown, target = whole.picture(picture), None
        if video.targets:
            shown, target = example(task, shown, video.targets[number](), generator_of_frame(number))
        yield source, shown[None].contiguous(memory_format=torch.channels_last), target


def _changed_in_part(frame: Tensor) -> Tensor:
    changed = frame.clone()
    changed[..., : frame.shape[-2] // 4, : frame.shape[-1] // 4] += 1
    return changed


def _map_size(target: Tensor, source: tuple[int, int]) -> tuple[int, int]:
    """Of the labels, where these are a map; coded pictures may be smaller than it."""
    return (target.shape[0], target.shape[1]) if target.dtype == torch.uint8 else source


def _timed(network: VideoNetwork, frame: Tensor) -> tuple[Tensor, float]:
    start = time.perf_counter()
    output: Tensor = network(frame)
    return output, time.perf_counter() - start
