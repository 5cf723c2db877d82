"""A block of layers whose student predicts the change of the block's output."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.delta_distillation.block_student import BlockStudent
from scaleflow.efficient_nets.delta_distillation.delta_layer import Candidate, DeltaLayer, DeltaState
from scaleflow.efficient_nets.delta_distillation.settings import DeltaDistillationSettings
from scaleflow.efficient_nets.video.cost_record import counted
from scaleflow.errors import UsageError

PROBE_SIDE = 64
"""Side of the pictures of noise that tell what a block does."""


class DeltaBlock(DeltaLayer):
    """The non-linear form: a :class:`BlockStudent` for a block that takes one picture and gives one.

    The block itself is the teacher, and the full candidate; its parameters are under ``teacher``. A block does not
    hand changes through as a convolution does, so errors of predictions against the frame before add up in another way
    than those against the key frame.
    """

    def __init__(self, name: str, dense: nn.Module, settings: DeltaDistillationSettings) -> None:
        super().__init__()
        self.teacher = dense
        self._macs: dict[torch.Size, int] = {}
        self.start_video()
        form = probe(name, dense)
        student = BlockStudent(
            form.channels,
            form.out_channels,
            form.stride,
            max(1, int(form.out_channels / settings.gamma)),
            settings.block_inputs,
            settings.block_downscale,
            form.through,
        ).to(form.like)
        self.start_deltas(settings, {"compressed": student}, form.like)
        self.train(dense.training)

    def dense(self, x: Tensor) -> Tensor:
        """The block itself, which may not change ``x``."""
        with counted(self.teacher) as macs:
            output: Tensor = self.teacher(x.clone())
        self._macs[output.shape] = sum(macs)
        return output

    def dense_macs(self, output: Tensor) -> int:
        """See :class:`VideoLayer`."""
        return self._macs[output.shape]

    def predict(self, candidate: Candidate, x: Tensor, state: DeltaState) -> tuple[Tensor, int]:
        """See :class:`DeltaLayer`."""
        if candidate == "full":
            return self.dense(x) - state.output, state.dense_macs
        with counted(self.students) as macs:
            change = self.students["compressed"](x, state.input, state.output.shape[2:])
        return change, sum(macs)

    def predict_clip(self, candidate: Candidate, clip: Tensor, first: Tensor) -> tuple[Tensor, int]:
        """See :class:`DeltaLayer`."""
        later = clip[:, 1:]
        if candidate == "full":
            outputs = self.dense(later.flatten(0, 1))
            macs = self.dense_macs(outputs)
            together = torch.cat((first[:, None], outputs.unflatten(0, later.shape[:2])), 1)
            return self.differences(together), macs
        references = self.references(clip)
        with counted(self.students) as counts:
            changes = self.students["compressed"](later.flatten(0, 1), references.flatten(0, 1), first.shape[2:])
        return changes.unflatten(0, later.shape[:2]), sum(counts)


@dataclass(frozen=True)
class BlockForm:
    """What a block does to a picture.

    Attributes:
        channels, out_channels: of input and output.
        stride: how many times smaller the output is, in height and width.
        through: the factor (0..1) by which a change of the input is best found again in the output, where both have
            one shape: near 1 for residual blocks.
        like: a weight of the block.
    """

    channels: int
    out_channels: int
    stride: tuple[int, int]
    through: float
    like: Tensor


def probe(name: str, dense: nn.Module) -> BlockForm:
    """Run a block on two pictures of noise that differ a little.

    Raises:
        UsageError: it has no convolution, or is no function of one picture that gives one.
    """
    weights = [layer.weight for layer in dense.modules() if isinstance(layer, nn.Conv2d)]
    if not weights:
        raise UsageError(f"block {name!r} has no convolution: leave it out of blocks")
    channels = next(layer.in_channels for layer in dense.modules() if isinstance(layer, nn.Conv2d))
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, channels, PROBE_SIDE, PROBE_SIDE, generator=generator).to(weights[0])
    noise[1] = noise[0] + 0.1 * noise[1]
    try:
        with torch.no_grad():
            output = dense(noise.clone())
    except Exception as error:  # the block's own code runs on a stand-in, and may raise anything
        raise UsageError(
            f"block {name!r} does not take a picture of {channels} channels alone ({error}): leave it out of blocks"
        ) from error
    if not isinstance(output, Tensor) or output.dim() != 4:
        raise UsageError(f"block {name!r} does not give one picture: leave it out of blocks")
    through = 0.0
    if output.shape == noise.shape:
        change, changed = (pictures[1] - pictures[0] for pictures in (noise, output))
        through = float(((change * changed).sum() / change.square().sum()).clamp(0, 1))
    height, width = (max(1, round(PROBE_SIDE / side)) for side in output.shape[2:])
    return BlockForm(channels, output.shape[1], (height, width), through, weights[0])
