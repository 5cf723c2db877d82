"""What a running network notes of its work, frame by frame, in constant memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from scaleflow.efficient_nets.video.cost import Cost, FrameCost, VideoCost, dense_cost
from scaleflow.efficient_nets.video.counted_product import CountedProduct

DETAILED_FRAMES = 300
"""Frames that are kept one by one; sums cover all of them."""

COUNTED_LAYERS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    CountedProduct,
)
"""Layers whose MACs are counted where they stay as they are; all others count as free, in both columns."""


def dense_macs(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> int:
    """MACs of one call of one of :data:`COUNTED_LAYERS`, bias left out."""
    if isinstance(layer, CountedProduct):
        return layer.macs(inputs, output)
    weight = layer.weight
    assert isinstance(weight, Tensor)
    if isinstance(layer, nn.Linear):
        return output.numel() * layer.in_features
    transposed = isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)
    dimensions = weight.dim() - 2
    positions = (inputs[0] if transposed else output).shape[-dimensions:].numel()
    batch = output.shape[0] if output.dim() == weight.dim() else 1
    return batch * positions * weight.numel()


@contextmanager
def counted(module: nn.Module) -> Iterator[list[int]]:
    """MACs of each call of :data:`COUNTED_LAYERS` in ``module`` while this lasts."""
    macs: list[int] = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        macs.append(dense_macs(layer, inputs, output))

    hooks = [layer.register_forward_hook(count) for layer in module.modules() if isinstance(layer, COUNTED_LAYERS)]
    try:
        yield macs
    finally:
        for hook in hooks:
            hook.remove()


class CostRecord:
    """Costs of the frames of one network."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Count from here on."""
        self._frames = 0
        self._layers: dict[str, Cost] = {}
        self._latest: deque[FrameCost] = deque(maxlen=DETAILED_FRAMES)
        self._running: list[dict[str, Cost]] = []

    def begin(self, frames: int = 1) -> None:
        """One frame starts, or several at once; what was begun and not ended is forgotten."""
        self._running = [{} for _ in range(frames)]

    def add(self, layer: str, costs: list[Cost]) -> None:
        """A layer did this in each of the frames that were begun."""
        for frame, cost in zip(self._running, costs, strict=True):
            frame[layer] = frame.get(layer, Cost()) + cost

    def add_dense(self, layer: str, macs: int) -> None:
        """A layer computed all of the frames that were begun, which took ``macs`` together."""
        frames = len(self._running)
        self.add(layer, [dense_cost(macs // frames)] * frames)

    def end(self, key: list[bool]) -> None:
        """The frames are done; ``key`` says which were computed in full."""
        for layers, is_key in zip(self._running, key, strict=True):
            self._latest.append(FrameCost(is_key, layers))
            for name, cost in layers.items():
                self._layers[name] = self._layers.get(name, Cost()) + cost
        self._frames += len(key)
        self._running = []

    def summary(self) -> VideoCost:
        """All that was noted so far."""
        return VideoCost(self._frames, dict(self._layers), tuple(self._latest))
