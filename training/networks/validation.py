"""How well a network does its task, picture by picture."""

from __future__ import annotations

import torch
from torch import nn

from scaleflow.efficient_nets.data.labelled_frames import LabelledData
from scaleflow.efficient_nets.data.window import Window
from scaleflow.efficient_nets.tasks.task import Task, example, generator_of_frame
from scaleflow.efficient_nets.video.network import VideoNetwork


def validate(
    network: nn.Module, task: Task, data: LabelledData, size: tuple[int, int], most: int = 0
) -> dict[str, float]:
    """Measures of the task, at the resolution of the labels.

    Args:
        network: in eval mode; one for video sees successive frames.
        size: (width, height) that pictures are brought to.
        most: frames, evenly spread, of a network for video the first; 0 for all.
    """
    frames = data.frames
    if isinstance(network, VideoNetwork):
        frames = frames[:most] if most else frames
    elif most and len(frames) > most:
        frames = tuple(frames[number * len(frames) // most] for number in range(most))
    meter = task.meter(data.classes)
    device = next(network.parameters()).device
    video: str | None = None
    with torch.inference_mode():
        for number, frame in enumerate(frames):
            if isinstance(network, VideoNetwork) and (data.still or frame.video != video):
                network.reset()
                video = frame.video
            picture, target = frame.read_picture(), frame.target()
            source = picture.shape[1], picture.shape[2]
            whole = Window(source, (size[1], size[0]), 0, 0, (size[1], size[0]))
            given, target = example(task, whole.picture(picture), target, generator_of_frame(number))
            output = network(given[None].to(device))[0].cpu()
            meter.add(frame.video, task.prediction(output, source), target)
    return meter.values()
