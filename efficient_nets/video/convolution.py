"""A layer that remembers the frame before: the base of all methods that reuse it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from torch import Tensor, nn

from scaleflow.efficient_nets.video.cost import Cost, dense_cost
from scaleflow.efficient_nets.video.cost_record import CostRecord
from scaleflow.errors import UsageError


@dataclass
class VideoClock:
    """What all layers of one network share while it runs.

    Attributes:
        running: the network is inside a frame or a clip; outside, layers are what they stand for.
        first_frame: there is no frame before, so every layer computes in full.
        clip_length: frames that stand behind one another in the batch of a training clip; None when streaming.
        teacher: the clip is run for what layers learn from; see :attr:`VideoLayer.learns_from_dense`.
        record: where costs go.
        changed: where the frame differs from the one before, (N, 1, H, W) over the whole of it, where that was given.
        choices: of each layer that learns what to compute, in the last clip: MACs of its frames after the first, and
            the share of them that was spent, differentiable.
    """

    running: bool = False
    first_frame: bool = True
    clip_length: int | None = None
    teacher: bool = False
    record: CostRecord = field(default_factory=CostRecord)
    changed: Tensor | None = None
    choices: list[tuple[int, Tensor]] = field(default_factory=list)


class VideoLayer(nn.Module, ABC):
    """Stands for a layer, or for a block of layers, that takes one picture and gives one.

    A layer that is called several times in a frame keeps a state for each call, in the order of the calls. Subclasses
    say what the first frame, a later frame and a whole clip do. Outputs are the caller's own, who may change them in
    place; so may inputs be after the call: a state holds neither.
    """

    def start_video(self) -> None:
        """Nothing was seen; to be called where the layer is made."""
        self.name = ""
        self.clock = VideoClock()
        self._states: list[object] = []
        self._calls = 0

    @abstractmethod
    def first_frame(self, x: Tensor) -> tuple[Tensor, object]:
        """Output for a frame without a predecessor, computed in full, and the state that it leaves."""

    @abstractmethod
    def next_frame(self, x: Tensor, state: object) -> tuple[Tensor, Cost]:
        """Output for a later frame (N, C, H, W) of the first one's size, and its cost; ``state`` is brought forward."""

    @abstractmethod
    def whole_clip(self, clip: Tensor) -> tuple[Tensor, list[Cost]]:
        """Outputs of all frames of clips (B, T, C, H, W), differentiable, and the costs of each of the T steps."""

    @abstractmethod
    def expected_shape(self, state: object) -> tuple[int, ...]:
        """Shape of the inputs that ``state`` was made of."""

    @abstractmethod
    def dense(self, x: Tensor) -> Tensor:
        """What the layer stands for, computed in full."""

    @abstractmethod
    def dense_macs(self, output: Tensor) -> int:
        """MACs of computing all of ``output`` (N, O, H, W)."""

    def first_frame_cost(self, output: Tensor) -> Cost:
        """Of a first frame that gave ``output``; a dense run's, where a subclass does not say otherwise."""
        return dense_cost(self.dense_macs(output))

    @property
    def learns_from_dense(self) -> bool:
        """A clip is first run with every layer computed in full, without gradients, and the clock says ``teacher``."""
        return False

    def forget(self) -> None:
        """Drop the states: the next frame is a first one."""
        self._states = []
        self._calls = 0

    def begin_frame(self) -> None:
        """Calls are counted from here."""
        self._calls = 0

    def end_frame(self) -> None:
        """See that each state was brought forward.

        Raises:
            UsageError: the layer ran less often than in the first frame.
        """
        if self._calls != len(self._states):
            raise self._unequal_calls(f"{self._calls} times in this frame")

    def forward(self, x: Tensor) -> Tensor:
        """``x`` (N, C, H, W), or (C, H, W) as ``nn.Conv2d`` takes it.

        Raises:
            UsageError: this call has no counterpart in the first frame, or its input another shape there.
        """
        if not self.clock.running:
            return self.dense(x)
        if x.dim() == 3:
            if self.clock.clip_length is not None:
                raise UsageError(f"{self.name}: a clip needs inputs with a batch; this one is {tuple(x.shape)}")
            return self._frame(x[None])[0]
        return self._frame(x) if self.clock.clip_length is None else self._clip(x, self.clock.clip_length)

    def _frame(self, x: Tensor) -> Tensor:
        call, self._calls = self._calls, self._calls + 1
        if call == len(self._states):
            if not self.clock.first_frame:
                raise self._unequal_calls(f"more than {call} times in this frame")
            output, state = self.first_frame(x)
            self._states.append(state)
            cost = self.first_frame_cost(output)
        else:
            state = self._states[call]
            expected = self.expected_shape(state)
            if x.shape != expected:
                raise UsageError(
                    f"{self.name}: input {tuple(x.shape)} after {tuple(expected)} in the frame before: "
                    f"call reset() at a cut, or leave the layer out with exclude=({self.name!r},)"
                )
            output, cost = self.next_frame(x, state)
        self.clock.record.add(self.name, [cost])
        return output

    def _clip(self, x: Tensor, length: int) -> Tensor:
        if x.shape[0] % length:
            raise UsageError(
                f"{self.name}: a batch of {x.shape[0]} holds no clips of {length} frames: the network changes the "
                f"batch; leave the layer out with exclude=({self.name!r},)"
            )
        output, costs = self.whole_clip(x.unflatten(0, (-1, length)))
        self.clock.record.add(self.name, costs)
        return output.flatten(0, 1)

    def _unequal_calls(self, found: str) -> UsageError:
        return UsageError(
            f"{self.name}: runs {found} and {len(self._states)} times in the first, so its states cannot be told "
            f"apart: leave it out with exclude=({self.name!r},)"
        )


class VideoConvolution(VideoLayer, nn.Conv2d):
    """Stands for one ``nn.Conv2d``, with its parameters under the same names."""

    def __init__(self, dense: nn.Conv2d) -> None:
        super().__init__(
            dense.in_channels,
            dense.out_channels,
            dense.kernel_size,  # type: ignore[arg-type]
            dense.stride,  # type: ignore[arg-type]
            dense.padding,  # type: ignore[arg-type]
            dense.dilation,  # type: ignore[arg-type]
            dense.groups,
            dense.bias is not None,
            dense.padding_mode,
            device="meta",
        )
        self.weight = dense.weight
        self.bias = dense.bias
        self.train(dense.training)
        self.start_video()

    @property
    def macs_per_position(self) -> int:
        """MACs of one output position, all channels."""
        return self.weight.numel()

    def dense(self, x: Tensor) -> Tensor:
        """The plain convolution, bias included."""
        return nn.Conv2d.forward(self, x)

    def dense_macs(self, output: Tensor) -> int:
        """See :class:`VideoLayer`."""
        return output.numel() // self.out_channels * self.macs_per_position
