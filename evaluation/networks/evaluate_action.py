"""FrameExit measured on videos: accuracy over cost of gates, of a fixed number of frames, and of exits by chance."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from scaleflow.efficient_nets.data.action_clips import ActionData, read_clip, spread_frames
from scaleflow.efficient_nets.frame_exit.weights_file import ActionNetwork
from scaleflow.efficient_nets.methods.settings_text import parse_settings
from scaleflow.efficient_nets.video.cost_record import counted
from scaleflow.errors import UsageError
from scaleflow.evaluation.networks.point import NetworkFrames, NetworkPoint, PointIdentity

FRAME_EXIT, FIRST, UNIFORM, CHANCE = "frame-exit", "first frames", "uniform", "exits by chance"


@dataclass(frozen=True)
class ActionSetting:
    """A strictness that gates were trained with, and the odds from which on they stop."""

    strictness: float
    threshold: float = 0.5

    def __str__(self) -> str:
        return f"strictness={self.strictness:g} threshold={self.threshold:g}"


@dataclass(frozen=True)
class _Watched:
    """All there is to know of each video (V): what each number of frames (T) gives, in the order of the network, or
    evenly spread; gates (V, strictnesses, T - 1) as odds; and costs."""

    first: NDArray[np.int64]
    uniform: NDArray[np.int64]
    labels: NDArray[np.int64]
    odds: dict[float, NDArray[np.float64]]
    frame_macs: int
    gate_macs: int
    classifier_macs: int
    frame_seconds: NDArray[np.float64]
    gate_seconds: NDArray[np.float64]


def action_settings(methods: Sequence[str], trained: ActionNetwork) -> list[ActionSetting]:
    """Of ``frame-exit strictness=0.1,0.01 threshold=0.5,0.9``; all that were trained, at 0.5, where none is given.

    Raises:
        UsageError: another method or setting, or a strictness without gates.
    """
    known = [field.name for field in fields(ActionSetting)]
    found = []
    for text in methods or [FRAME_EXIT]:
        name, *words = text.split() or [""]
        if name != FRAME_EXIT:
            raise UsageError(f"method {name}: a network for action has {FRAME_EXIT} alone", fields=("method",))
        for settings in parse_settings(words):
            for key in settings:
                if key not in known:
                    raise UsageError(f"{FRAME_EXIT} has no setting {key!r}: there are {', '.join(known)}")
            for key, value in settings.items():
                if isinstance(value, bool) or not isinstance(value, int | float):
                    raise UsageError(f"{FRAME_EXIT}: {key} = {value} is no number")
            threshold = float(settings.get("threshold", 0.5))
            if not 0 <= threshold <= 1:
                raise UsageError(f"{FRAME_EXIT}: threshold = {threshold:g} is outside 0..1")
            given = settings.get("strictness")
            for strictness in trained.gated.strictnesses if given is None else (float(given),):
                trained.gated.gates_for(strictness)
                found.append(ActionSetting(strictness, threshold))
    return list(dict.fromkeys(found))


def identity_of_videos(data: ActionData) -> str:
    """What tells points of these videos from points of others: the names, and how many pictures count of each."""
    names = [(clip.name, clip.pictures) if clip.pictures else clip.name for clip in data.clips]
    return data.content or hashlib.sha256(repr(names).encode()).hexdigest()[:16]


def evaluate_action(
    trained: ActionNetwork,
    weights: str,
    data: ActionData,
    settings: Sequence[ActionSetting],
    folder: Path,
    threads: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[NetworkPoint]:
    """Watch every video once, and write a point for each setting and each number of frames.

    Points are those of :class:`scaleflow.evaluation.networks.point.NetworkPoint`, of which a video is what a frame is
    elsewhere: costs and times are those of a video, and the dense network is the one that looks at all frames.

    Args:
        weights: hash of the network's file.
        progress: is given how many videos are done.

    Raises:
        DataError: a video cannot be read, or is shorter than the frames that the network looks at.
    """
    watched = _watch(trained, data, progress)
    frames = trained.config.frames
    videos = np.arange(len(data.clips))
    made: list[tuple[str, str, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]] = []
    right = watched.first == watched.labels[:, None]
    for count in range(1, frames + 1):
        left = np.full(len(videos), count)
        for name, found in ((FIRST, watched.first), (UNIFORM, watched.uniform)):
            shares = (found[:, count - 1] == watched.labels).astype(float)
            made.append((name, f"frames={count}", left, shares, np.zeros(len(videos))))
    for setting in settings:
        stops = watched.odds[setting.strictness] > setting.threshold
        left = np.where(stops.any(1), stops.argmax(1), frames - 1) + 1
        shares = right[videos, left - 1].astype(float)
        gates = np.minimum(left, frames - 1).astype(float)
        made.append((FRAME_EXIT, str(setting), left, shares, gates))
        # What exits by chance would give, as many at each frame: the mean over all ways to deal them to the videos.
        frequency = np.bincount(left - 1, minlength=frames) / len(left)
        made.append((CHANCE, f"as {setting}", left, right @ frequency, np.zeros(len(videos))))
    points = [_point(trained, weights, data, threads, watched, *parts) for parts in made]
    for point in points:
        point.keep(folder)
    return points


def _watch(trained: ActionNetwork, data: ActionData, progress: Callable[[int, int], None]) -> _Watched:
    network, frames = trained.gated.network, trained.config.frames
    sets = {strictness: trained.gated.gates_for(strictness) for strictness in trained.gated.strictnesses}
    first, uniform, frame_seconds, gate_seconds = [], [], [], []
    odds: dict[float, list[list[float]]] = {strictness: [] for strictness in sets}
    chosen = [spread_frames(frames, count) for count in range(1, frames + 1)]
    frame_macs = gate_macs = 0
    with torch.inference_mode():
        for number, clip in enumerate(data.clips):
            video = read_clip(clip.path, frames, trained.size, clip.pictures).float() / 255
            if not number:
                network.frame_features(video[:1], (0,))  # prepares kernels
                with counted(network) as macs:
                    network.frame_features(video[:1], (0,))
                frame_macs = sum(macs)
            features, seconds = [], []
            for place in network.order:
                start = time.perf_counter()
                features.append(network.frame_features(video[place : place + 1], (place,)))
                seconds.append(time.perf_counter() - start)
            pooled = torch.cat(features).cummax(0).values
            first.append(network.classify_pooled(pooled[None])[0].argmax(1).tolist())
            by_place = torch.cat([features[network.order.index(place)] for place in range(frames)])
            spread = torch.stack([by_place[list(places)].amax(0) for places in chosen])
            uniform.append(network.classify_pooled(spread[None])[0].argmax(1).tolist())
            gate_time = 0.0
            before = torch.cat((torch.zeros_like(pooled[:1]), pooled))
            for strictness, gates in sets.items():
                start = time.perf_counter()
                with counted(gates) as macs:
                    said = [float(gates[t](before[t : t + 1], pooled[t : t + 1])) for t in range(frames - 1)]
                gate_time = (time.perf_counter() - start) / (frames - 1)
                gate_macs = sum(macs) // (frames - 1)
                odds[strictness].append(torch.tensor(said).sigmoid().tolist())
            frame_seconds.append(seconds)
            gate_seconds.append(gate_time)
            progress(number + 1, len(data.clips))
    classifier = network.classifiers[0]
    assert isinstance(classifier, nn.Linear)
    return _Watched(
        np.array(first),
        np.array(uniform),
        np.array([clip.label for clip in data.clips]),
        {strictness: np.array(values) for strictness, values in odds.items()},
        frame_macs,
        gate_macs,
        classifier.in_features * classifier.out_features,
        np.array(frame_seconds),
        np.array(gate_seconds),
    )


def _point(
    trained: ActionNetwork,
    weights: str,
    data: ActionData,
    threads: int,
    watched: _Watched,
    method: str,
    settings: str,
    left: NDArray[np.int64],
    right: NDArray[np.float64],
    gates: NDArray[np.float64],
) -> NetworkPoint:
    """Of videos that are left after so many frames, of which so many are right, and so many gates were asked."""
    architecture, config = asdict(trained.architecture), asdict(trained.config)
    del architecture["decoder"], config["strictness"]
    text = " ".join(f"{name}={value}" for name, value in {**architecture, **config}.items()).replace(", ", ",")
    identity = PointIdentity(
        text.removeprefix("name="),
        weights,
        "action",
        data.place,
        identity_of_videos(data),
        method,
        settings,
        trained.size,
        threads,
    )
    macs = (left * watched.frame_macs + gates * watched.gate_macs + watched.classifier_macs).astype(int).tolist()
    summed = watched.frame_seconds.cumsum(1)
    seconds = (summed[np.arange(len(left)), left - 1] + gates * watched.gate_seconds).tolist()
    full = trained.config.frames * watched.frame_macs + watched.classifier_macs
    grades = [clip.grade for clip in data.clips]
    measures: dict[str, float | None] = {"accuracy": 100 * float(right.mean()), "frames": float(left.mean())}
    for grade in dict.fromkeys(grade for grade in grades if grade):
        own = np.array([given == grade for given in grades])
        measures[f"accuracy {grade}"] = 100 * float(right[own].mean())
        measures[f"frames {grade}"] = float(left[own].mean())
    dense_right = 100 * float((watched.first[:, -1] == watched.labels).mean())
    return NetworkPoint(
        identity=identity,
        measure="accuracy",
        measures=measures,
        dense_measures={"accuracy": dense_right, "frames": float(trained.config.frames)},
        agreement={},
        changes=None,
        dense_changes=None,
        macs=float(np.mean(macs)),
        executed_macs=float(np.mean(macs)),
        bops=float(np.mean(macs)) * 1024,
        dense_macs=float(full),
        dense_bops=float(full) * 1024,
        seconds=float(np.mean(seconds)),
        dense_seconds=float(summed[:, -1].mean()),
        software={"torch": torch.__version__, "python": platform.python_version(), "machine": platform.machine()},
        frames=NetworkFrames(
            [clip.name for clip in data.clips],
            (left == trained.config.frames).tolist(),
            macs,
            [value * 1024 for value in macs],
            seconds,
            summed[:, -1].tolist(),
        ),
    )
