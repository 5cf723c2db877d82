"""A network that takes a video frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.video.convolution import VideoClock, VideoLayer
from scaleflow.efficient_nets.video.cost import VideoCost
from scaleflow.efficient_nets.video.cost_record import COUNTED_LAYERS, dense_macs
from scaleflow.errors import UsageError


@dataclass(frozen=True)
class UnconvertedLayer:
    """A layer with parameters that runs in full on every frame, and why."""

    name: str
    kind: str
    reason: str


class VideoNetwork(nn.Module):
    """``model`` with convolutions that reuse the frame before; made by
    :func:`scaleflow.efficient_nets.video.conversion.accelerate`.

    Called with a frame as ``model`` was, it gives what ``model`` gave, without gradients, and holds the state of one
    video (or of one batch of videos that run side by side). For training, :meth:`forward_clip` takes whole clips. A
    frame whose size, type or device is not that of the frame before is refused: it is no frame of the same video, and
    :meth:`reset` says that another begins.

    Attributes:
        model: the converted copy.
        unconverted: what could not be converted.
        folded: names of the batch norms that were folded.
        key_interval: every so many frames one is computed in full; None for the first alone.
    """

    def __init__(
        self,
        model: nn.Module,
        unconverted: tuple[UnconvertedLayer, ...] = (),
        folded: tuple[str, ...] = (),
        key_interval: int | None = None,
    ) -> None:
        super().__init__()
        if key_interval is not None and key_interval < 1:
            raise ValueError(f"key_interval = {key_interval} must be at least 1, or None for no key frames")
        self.model = model
        self.unconverted, self.folded, self.key_interval = unconverted, folded, key_interval
        self.clock = VideoClock()
        self._since_key = 0
        self._form: object = None
        within = {id(part) for layer in self.converted_layers() for part in layer.modules() if part is not layer}
        for name, layer in model.named_modules():
            if isinstance(layer, VideoLayer):
                layer.name, layer.clock = name or type(layer).__name__, self.clock
            elif isinstance(layer, COUNTED_LAYERS) and id(layer) not in within:
                layer.register_forward_hook(partial(_count, self.clock, name))

    def converted_layers(self) -> Iterator[VideoLayer]:
        """The layers that reuse the frame before."""
        return (layer for layer in self.model.modules() if isinstance(layer, VideoLayer))

    def reset(self) -> None:
        """The next frame is the first of a video, and computed in full: call this at a cut. Costs are kept."""
        for layer in self.converted_layers():
            layer.forget()
        self._since_key = 0
        self._form = None
        self.clock.first_frame = True

    def change_map(self, changed: Tensor) -> None:
        """Say where the next frame differs from the one before, for methods whose gates are given.

        Args:
            changed: (H, W) of any size that covers the whole frame, as fine as it is known, or (N, H, W) with a map for
                each of a batch; what is not 0 or False has changed. Anything that moved has changed.
        """
        if changed.dim() not in (2, 3):
            raise UsageError(f"a map of changes of shape {tuple(changed.shape)}: (H, W) or (N, H, W) is needed")
        maps = changed if changed.dim() == 3 else changed[None]
        self.clock.changed = (maps != 0).float()[:, None]

    def cost(self) -> VideoCost:
        """Work since the beginning, or since :meth:`clear_cost`."""
        return self.clock.record.summary()

    def clear_cost(self) -> None:
        """Count work from the next frame on."""
        self.clock.record.clear()

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Output for the next frame.

        Raises:
            UsageError: the frame is of another size, type or device, or the network takes another way through its
                layers than on the first frame. After an error the next frame is a first one.
        """
        form = _form_of((inputs, named))
        if self._form is not None and form != self._form:
            raise UsageError(f"a frame of {form} after one of {self._form}: call reset() where another video begins")
        if self._since_key == self.key_interval:
            self.reset()
        key = self.clock.first_frame
        try:
            # States outlive a frame: made in inference mode, they could not be changed outside of it.
            with torch.inference_mode(False), torch.no_grad(), self._running(1, None):
                output = self.model(*inputs, **named)
                for layer in self.converted_layers():
                    layer.end_frame()
        except BaseException:
            self.reset()
            raise
        self.clock.record.end([key])
        self.clock.first_frame = False
        self._since_key += 1
        self._form = form
        return output

    def forward_clip(self, clip: Tensor) -> Any:
        """Outputs for clips (B, T, C, H, W), each tensor as (B, T, ...): those of T calls frame by frame.

        In training mode, learned decisions are drawn by chance; see :meth:`sparsity_loss`. Layers that learn from the
        dense network then see the clip twice, first computed in full and without gradients.
        Differentiable with respect to the parameters and the clip, which gates are not. The first frame of each clip
        is a first frame; the state of the video that is streaming is neither used nor changed. ``model`` must take a
        batch of frames alone, and treat them apart from one another.

        Raises:
            UsageError: the clip has no five dimensions, or a layer's batch is not that of the frames.
        """
        if clip.dim() != 5:
            raise UsageError(f"a clip of shape {tuple(clip.shape)}: (batch, time, channels, height, width) is needed")
        batch, length = clip.shape[:2]
        frames = clip.flatten(0, 1)
        if any(layer.learns_from_dense for layer in self.converted_layers()):
            with torch.no_grad(), self._running(length, length, teacher=True):
                self.model(frames.clone())
        with self._running(length, length):
            output = self.model(frames)
        self.clock.record.end([step == 0 for step in range(length)])
        return _map_tensors(output, lambda tensor: tensor.unflatten(0, (batch, length)))

    def sparsity_loss(self) -> Tensor:
        """Share (0..1) of the MACs of layers with learned decisions that the last clip spent, in training mode.

        Differentiable: the mean over frames after the first and over layers, weighted by their MACs, which is the gate
        loss of Habibian et al., "Skip-Convolutions", CVPR 2021, over the MACs of a frame. To be taken once for a clip.

        Raises:
            UsageError: the last clip had no learned decision.
        """
        choices, self.clock.choices = self.clock.choices, []
        if not choices:
            raise UsageError("no learned decision since the last clip: call train(), then forward_clip(), before this")
        spent = torch.stack([macs * share for macs, share in choices]).sum()
        return spent / sum(macs for macs, _ in choices)

    @contextmanager
    def _running(self, frames: int, clip_length: int | None, teacher: bool = False) -> Iterator[None]:
        self.clock.record.begin(frames)
        self.clock.running, self.clock.clip_length, self.clock.choices = True, clip_length, []
        self.clock.teacher = teacher
        for layer in self.converted_layers():
            layer.begin_frame()
        try:
            yield
        finally:
            self.clock.running, self.clock.clip_length = False, None
            self.clock.teacher, self.clock.changed = False, None


def _count(clock: VideoClock, name: str, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    if clock.running:
        clock.record.add_dense(name, dense_macs(layer, inputs, output))


def _form_of(value: object) -> object:
    """Shape, type and device of every tensor in nested arguments."""
    if isinstance(value, Tensor):
        return f"{'x'.join(map(str, value.shape))} {str(value.dtype).removeprefix('torch.')} on {value.device}"
    if isinstance(value, tuple | list):
        forms = [form for form in map(_form_of, value) if form is not None]
        return forms[0] if len(forms) == 1 else forms or None
    return _form_of(list(value.values())) if isinstance(value, dict) else None


def _map_tensors(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return type(value)((key, _map_tensors(item, change)) for key, item in value.items())
    if isinstance(value, tuple | list):
        items = [_map_tensors(item, change) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value
