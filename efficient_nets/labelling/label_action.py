"""The action that a video shows, as a network with exits finds it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from scaleflow.efficient_nets.data.action_clips import spread_clip
from scaleflow.efficient_nets.frame_exit.weights_file import ActionNetwork
from scaleflow.efficient_nets.labelling.pictures import VideoPictures
from scaleflow.efficient_nets.video.cost_record import counted


@dataclass(frozen=True)
class FoundAction:
    """What a network found in a video, and what that took.

    Attributes:
        action: the likeliest class.
        scores: of all classes, adding up to 1.
        looked_at: pictures that the network looked at, of those that it may look at most.
        pictures: of the video, all of which were decoded.
        decode_seconds, network_seconds, seconds: see
            :class:`scaleflow.efficient_nets.labelling.label_video.LabelTally`.
        macs: of the whole video, gates included.
    """

    action: str
    scores: dict[str, float]
    looked_at: int
    pictures: int
    decode_seconds: float
    network_seconds: float
    seconds: float
    macs: int


def label_action(video: VideoPictures, trained: ActionNetwork, strictness: float, threshold: float) -> FoundAction:
    """Decode all pictures, of which those that are evenly spread are looked at until a gate says to stop.

    Args:
        strictness: of the gates; the network must have some for it.
        threshold: odds from which on they stop.

    Raises:
        UsageError: the network has no gates for that strictness.
        DataError: the video is damaged, or shorter than the pictures that the network may look at.
    """
    network = trained.gated.network
    network.gates = trained.gated.gates_for(strictness)
    count, decoding = 0, 0.0

    def decoded() -> Iterator[Tensor]:
        nonlocal count, decoding
        while True:
            start = time.perf_counter()
            picture = next(video.pictures, None)
            decoding += time.perf_counter() - start
            if picture is None:
                return
            count += 1
            yield picture.tensor()

    started = time.perf_counter()
    clip = spread_clip(decoded(), trained.config.frames, trained.size, video.name).float() / 255
    start = time.perf_counter()
    with torch.inference_mode(), counted(network) as macs:
        found = network.classify(clip, threshold)
        scores = found.logits.softmax(0).tolist()
    end = time.perf_counter()
    return FoundAction(
        action=trained.classes[int(found.logits.argmax())],
        scores=dict(zip(trained.classes, scores, strict=True)),
        looked_at=found.frames,
        pictures=count,
        decode_seconds=decoding,
        network_seconds=end - start,
        seconds=end - started,
        macs=sum(macs),
    )
