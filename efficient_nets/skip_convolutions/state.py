"""What a Skip-Convolution keeps from frame to frame, and what a gate says of one."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from scaleflow.efficient_nets.skip_convolutions.compiled_steps import CompiledSteps
from scaleflow.efficient_nets.video.block_grid import BlockGrid


@dataclass
class SkipState:
    """What one call of a layer remembers, in the rows of its :class:`BlockGrid`.

    Attributes:
        reference: input as far as gates have let it through (or that of the frame before), a row of zeros behind.
        output: what was given last, and a row behind it that is never read.
        unseen: (N, 1, height, width): for each output position, at most how large a change under its kernel is no
            longer in the reference, because other positions whose kernels overlap were computed and this one was not.
        steps: what is compiled for it, where that is how the layer runs.
    """

    grid: BlockGrid
    reference: Tensor
    output: Tensor
    unseen: Tensor
    steps: CompiledSteps | None = None


@dataclass
class PreparedWeights:
    """What is made of a layer's weights once for all frames.

    Attributes:
        version: of the weights.
        scale: of the gate.
        matrix: (taps * input channels, output channels), once open blocks were computed as one matrix product, of the
            input under each tap.
    """

    version: tuple[int, int]
    scale: float
    matrix: Tensor | None = None


@dataclass
class Opening:
    """What a gate lets through in one frame.

    Attributes:
        blocks: numbers of the open blocks (n,).
        gate: (N, 1, height, width), true at their positions.
        source: rows to convolve there: the input itself, or its change; a row of zeros behind.
    """

    blocks: Tensor
    gate: Tensor
    source: Tensor
