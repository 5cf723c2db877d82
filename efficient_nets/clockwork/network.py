"""A UNet that runs by a clock, and what its trajectories cost."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.clockwork.adaptor import IdentityAdaptor
from scaleflow.efficient_nets.clockwork.clock import Clock
from scaleflow.efficient_nets.clockwork.split import SplitUNet
from scaleflow.efficient_nets.video.cost import Cost, gated_cost
from scaleflow.efficient_nets.video.cost_record import counted
from scaleflow.errors import UsageError


class ClockworkUNet(nn.Module):
    """Is called as the UNet itself, once for each step of a trajectory: Habibian et al., CVPR 2024, equation 1.

    On full steps all of the UNet runs, and the outputs of its low resolution are kept. On the others the adaptor makes
    them of those of the step before; what it makes is what it is given at the next step.
    """

    def __init__(self, split: SplitUNet, clock: Clock, adaptor: nn.Module | None = None) -> None:
        """``adaptor`` is an :class:`scaleflow.efficient_nets.clockwork.adaptor.Adaptor`; the identity where it is not
        given."""
        super().__init__()
        assert isinstance(split, nn.Module)
        self.split: Any = split
        self.clock = clock
        self.adaptor = adaptor if adaptor is not None else IdentityAdaptor()
        self._full: tuple[bool, ...] = ()
        self._step = 0
        self._kept: Tensor | None = None
        self._shape: tuple[int, ...] = ()

    def reset(self, steps: int) -> ClockworkUNet:
        """A trajectory of so many steps begins; returns the network itself."""
        self._full, self._step, self._kept = self.clock.full_steps(steps), 0, None
        return self

    def forward(self, *arguments: Any, **options: Any) -> Any:
        """The UNet's output at the next step.

        Raises:
            UsageError: the trajectory is over, or was not begun.
        """
        if self._step == len(self._full):
            raise UsageError(
                f"the clock was set for a trajectory of {self._step} steps: call reset(steps) before each trajectory"
            )
        is_full = self._full[self._step]
        if is_full:
            output, low = self.split.full(*arguments, **options)
            self._kept, self._shape = low.outputs, low.inputs.shape
        else:
            output = self.split.partial(self._adapt, *arguments, **options)
        self._step += 1
        return output

    def _adapt(self, inputs: Tensor, embedding: Tensor) -> Tensor:
        assert self._kept is not None  # the first step is always full
        if inputs.shape != self._shape:
            raise UsageError(
                f"the low resolution gets {tuple(inputs.shape)} after {tuple(self._shape)}: call reset(steps) before "
                "each trajectory, and give all its steps samples of one shape"
            )
        made: Tensor = self.adaptor(inputs, self._kept, embedding)
        self._kept = made
        return made


def trajectory_cost(network: ClockworkUNet, steps: int, *arguments: Tensor) -> Cost:
    """MACs of a trajectory, beside those where every step is computed in full.

    Nothing is computed: a copy of the network runs on torch's meta device, which knows shapes alone.

    Args:
        arguments: of the UNet at any step.
    """
    full = network.clock.full_steps(steps)
    shadow = copy.deepcopy(network).to("meta")
    given = [argument.to("meta") for argument in arguments]
    with torch.no_grad(), counted(shadow) as macs:
        _, low = shadow.split.full(*given)
        of_full = sum(macs)
        macs.clear()
        shadow.split.partial(lambda inputs, embedding: shadow.adaptor(inputs, low.outputs, embedding), *given)
        of_partial = sum(macs)
    spent = full.count(True) * of_full + full.count(False) * of_partial
    return gated_cost(spent, 0, spent, steps * of_full)
