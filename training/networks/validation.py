"""How well a network does its task, picture by picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from scaleflow.efficient_nets.data.labelled_frames import LabelledData, LabelledFrame
from scaleflow.efficient_nets.data.window import Window
from scaleflow.efficient_nets.tasks.task import Task, example, generator_of_frame
from scaleflow.efficient_nets.video.network import VideoNetwork


def validate(
    network: nn.Module, task: Task, data: LabelledData, size: tuple[int, int], most: int = 0
) -> dict[str, float]:
    """Measures of the task, at the resolution of the labels.

    Args:
        network: in eval mode, for single pictures.
        size: (width, height) that pictures are brought to.
        most: frames, evenly spread; 0 for all.
    """
    frames = data.frames
    if most and len(frames) > most:
        frames = tuple(frames[number * len(frames) // most] for number in range(most))
    return _measures(network, task, data, frames, size)


def validate_video(
    network: VideoNetwork, task: Task, data: LabelledData, size: tuple[int, int], most: int = 0
) -> dict[str, float]:
    """The same of a network for video, which sees successive frames: the first ``most``, or all."""
    video: str | None = None

    def begin(frame: LabelledFrame) -> None:
        nonlocal video
        if data.still or frame.video != video:
            network.reset()
            video = frame.video

    return _measures(network, task, data, data.frames[:most] if most else data.frames, size, begin)


def _measures(
    network: nn.Module,
    task: Task,
    data: LabelledData,
    frames: Sequence[LabelledFrame],
    size: tuple[int, int],
    begin: Callable[[LabelledFrame], None] = lambda frame: None,
) -> dict[str, float]:
    """``begin`` is called before each frame."""
    meter = task.meter(data.classes)
    device = next(network.parameters()).device
    with torch.inference_mode():
        for number, frame in enumerate(frames):
            begin(frame)
            picture, target = frame.read_picture(), frame.target()
            source = picture.shape[1], picture.shape[2]
            whole = Window.whole(source, size)
            given, target = example(task, whole.picture(picture), target, generator_of_frame(number))
            output = network(given[None].to(device))[0].cpu()
            meter.add(frame.video, task.prediction(output, source), target)
    return meter.values()
