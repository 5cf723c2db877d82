"""Videos whose pictures are restored by a diffusion model by a clock before networks look at them."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.efficient_nets.clockwork.clock import Clock
from scaleflow.efficient_nets.clockwork.network import ClockworkUNet, trajectory_cost
from scaleflow.efficient_nets.clockwork.split import UNetSplit
from scaleflow.efficient_nets.clockwork.weights_file import TrainedAdaptor
from scaleflow.efficient_nets.diffusion.restoration import RestorationDiffusion
from scaleflow.efficient_nets.video.cost import Cost
from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.networks.curve_names import AFTER
from scaleflow.evaluation.networks.point import NetworkPoint
from scaleflow.evaluation.networks.videos import EvaluatedData, EvaluatedVideo

ALL_IN_FULL = Clock(period=1)


@dataclass(frozen=True)
class Restorer:
    """A way to restore pictures: Habibian et al., "Clockwork Diffusion", CVPR 2024.

    Attributes:
        model: the restoration model.
        weights: hash of its file, and of its adaptor's where one is used.
        steps: of each picture's trajectory.
        clock: which of them are computed in full; all where its period is 1.
        adaptor: what stands in on the others; the identity where None.
        seed: of the noise that all pictures start from.

    Raises:
        UsageError: there are no steps, or the adaptor was made for others.
    """

    model: RestorationDiffusion
    weights: str
    steps: int
    clock: Clock = ALL_IN_FULL
    adaptor: TrainedAdaptor | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError(f"steps = {self.steps} must be 1 or more")
        if self.adaptor is not None and self.adaptor.steps != self.steps:
            raise UsageError(f"steps = {self.steps}: the adaptor was distilled for {self.adaptor.steps}, use as many")

    @property
    def settings(self) -> str:
        """Steps and clock, as people type them; of the clock what is not as usual."""
        usual = Clock(self.clock.period)
        words = [f"steps={self.steps}", f"period={self.clock.period}"]
        words += [f"first={self.clock.first}"] if self.clock.first != usual.first else []
        words += [f"pattern={self.clock.pattern}"] if self.clock.pattern != usual.pattern else []
        return " ".join([*words, "adaptor=learned"] if self.adaptor is not None else words)

    def network(self) -> ClockworkUNet:
        """The model's UNet by the clock."""
        adaptor = None if self.adaptor is None else self.adaptor.adaptor
        cut = 1 if self.adaptor is None else self.adaptor.cut
        return ClockworkUNet(UNetSplit(self.model.unet, cut), self.clock, adaptor).eval()

    def cost(self, height: int, width: int) -> Cost:
        """Of one picture."""
        sample = torch.empty(1, self.model.unet.config.inputs, *self.model.padded_size(height, width), device="meta")
        return trajectory_cost(self.network(), self.steps, sample, torch.empty(1, device="meta"))


class RestoredVideos:
    """Pictures of videos after a restorer, each restored once, when it is first asked for, and kept in a folder.

    Restored pictures are rounded to 8 bits.

    Attributes:
        data: the videos, of another content than before.
        restorer: what restores them.
    """

    def __init__(self, data: EvaluatedData, restorer: Restorer) -> None:
        self.restorer = restorer
        self._folder = tempfile.TemporaryDirectory(prefix="scaleflow-restored-")
        self._network = restorer.network()
        self._costs: dict[tuple[int, int], Cost] = {}
        self._done: list[tuple[Cost, float]] = []
        videos = tuple(
            replace(video, pictures=partial(self._pictures, video, Path(self._folder.name) / str(number)))
            for number, video in enumerate(data.videos)
        )
        identity = repr((data.content, restorer.weights, restorer.settings, restorer.seed))
        content = hashlib.sha256(identity.encode()).hexdigest()[:16]
        self.data = EvaluatedData(f"{data.place}, restored", videos, content)

    def __enter__(self) -> RestoredVideos:
        return self

    def __exit__(self, *details: object) -> None:
        """Delete what was restored."""
        self._folder.cleanup()

    @property
    def cost(self) -> Cost:
        """Of a picture, the mean over those that were restored."""
        total = sum((cost for cost, _ in self._done), Cost())
        count = max(1, len(self._done))
        return Cost(*(round(value / count) for value in vars(total).values()))

    @property
    def seconds(self) -> float:
        """Of a picture, likewise."""
        return sum(seconds for _, seconds in self._done) / max(1, len(self._done))

    def named(self, network: str) -> str:
        """What a network is called that looks at these pictures."""
        return f"{network}{AFTER}restoration {self.restorer.settings}"

    def added_to(self, point: NetworkPoint) -> NetworkPoint:
        """A point of a network with what restoring its pictures cost."""
        cost, seconds = self.cost, self.seconds
        frames = replace(
            point.frames,
            macs=[macs + cost.macs for macs in point.frames.macs],
            bops=[bops + cost.bops for bops in point.frames.bops],
            seconds=[own + seconds for own in point.frames.seconds],
            dense_seconds=[own + seconds for own in point.frames.dense_seconds],
        )
        return replace(
            point,
            macs=point.macs + cost.macs,
            executed_macs=point.executed_macs + cost.executed_macs,
            bops=point.bops + cost.bops,
            dense_macs=point.dense_macs + cost.dense_macs,
            dense_bops=point.dense_bops + cost.dense_bops,
            seconds=point.seconds + seconds,
            dense_seconds=point.dense_seconds + seconds,
            frames=frames,
        )

    def _pictures(self, video: EvaluatedVideo, folder: Path) -> Iterator[Tensor]:
        folder.mkdir(exist_ok=True)
        for number, picture in enumerate(video.pictures()):
            path = folder / f"{number:06}.npy"
            if not path.is_file():
                np.save(path, self._restored(picture, video.name))
            yield torch.from_numpy(np.load(path, allow_pickle=False)).float() / 255

    @torch.inference_mode()
    def _restored(self, picture: Tensor, name: str) -> NDArray[np.uint8]:
        """(3, H, W) in 0..255, of (3, H, W) in 0..1."""
        model, steps = self.restorer.model, self.restorer.steps
        height, width = picture.shape[1:]
        started = time.perf_counter()
        try:
            noise = model.noise_for(height, width, self.restorer.seed)
            restored = model.restore(picture[None], steps, noise, self._network.reset(steps))[0]
        except UsageError as error:
            raise DataError(f"{name}: {error}") from error
        seconds = time.perf_counter() - started
        if (height, width) not in self._costs:
            self._costs[height, width] = self.restorer.cost(height, width)
        self._done.append((self._costs[height, width], seconds))
        return (255 * restored).round().to(torch.uint8).numpy()
