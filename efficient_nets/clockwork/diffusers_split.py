"""UNets of the package diffusers in two parts, without importing it: any model with their blocks and their forward.

Their ``forward`` runs ``down_blocks``, ``mid_block`` and ``up_blocks`` one after the other, whatever these hold. So a
second model that shares the first one's modules, but holds only its outer blocks and stand-ins, runs the high
resolution alone. The approach is that of the paper's released code, which swaps the blocks of the model itself.
"""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn

from scaleflow.efficient_nets.clockwork.split import LowResolution, StandIn, check_cut
from scaleflow.errors import UsageError


class DiffusersSplit(nn.Module):
    """Implements :class:`scaleflow.efficient_nets.clockwork.split.SplitUNet` for ``UNet2DModel`` and
    ``UNet2DConditionModel``.

    Nothing of the model is changed; its parameters are shared. Where it runs on other devices or in other precisions,
    move it before or after: both parts follow. Residuals of a ControlNet do not fit the second model.
    """

    def __init__(self, model: nn.Module, cut: int = 1) -> None:
        """``cut`` scales, the finest, are the high resolution.

        Raises:
            UsageError: the model has not the blocks of a diffusers UNet, or cannot be cut there.
        """
        super().__init__()
        down, up = getattr(model, "down_blocks", None), getattr(model, "up_blocks", None)
        if not isinstance(down, nn.ModuleList) or not isinstance(up, nn.ModuleList) or len(down) != len(up):
            raise UsageError(
                f"{type(model).__name__}: has no down_blocks and up_blocks of one length: a UNet2DModel or "
                "UNet2DConditionModel of diffusers is needed"
            )
        check_cut(cut, len(down))
        self.model, self.cut = model, cut
        outer = copy.copy(model)
        outer._modules = dict(model._modules)
        self._stand_in = _InnerUpBlock()
        outer.down_blocks = nn.ModuleList(list(down)[:cut])
        outer.mid_block = _InnerMidBlock()
        outer.up_blocks = nn.ModuleList([self._stand_in, *list(up)[len(up) - cut :]])
        # Hidden in a tuple: its modules are the model's, and are not to be registered twice.
        self._outer = (outer,)

    def full(self, *arguments: Any, **options: Any) -> tuple[Any, LowResolution]:
        """See :class:`scaleflow.efficient_nets.clockwork.split.SplitUNet`."""
        seen: dict[str, Tensor] = {}

        def entered(block: nn.Module, given: tuple[Any, ...], output: Any) -> None:
            seen["inputs"] = output[0]

        def left(block: nn.Module, given: tuple[Any, ...], named: dict[str, Any], output: Tensor) -> None:
            seen["outputs"] = output
            seen["embedding"] = named["temb"] if "temb" in named else given[2]

        down, up = self.model.down_blocks, self.model.up_blocks
        assert isinstance(down, nn.ModuleList) and isinstance(up, nn.ModuleList)
        hooks = (
            down[self.cut - 1].register_forward_hook(entered),
            up[len(up) - 1 - self.cut].register_forward_hook(left, with_kwargs=True),
        )
        try:
            output = self.model(*arguments, **options)
        finally:
            for hook in hooks:
                hook.remove()
        return output, LowResolution(**seen)

    def partial(self, stand_in: StandIn, *arguments: Any, **options: Any) -> Any:
        """See :class:`scaleflow.efficient_nets.clockwork.split.SplitUNet`."""
        outer = self._outer[0]
        outer.training = self.model.training  # and not train(), which would change the modules that are shared
        self._stand_in.stand_in = stand_in
        try:
            return outer(*arguments, **options)
        finally:
            self._stand_in.stand_in = None


class _InnerMidBlock(nn.Module):
    """Passes on the inputs of the low resolution."""

    has_cross_attention = False

    def forward(self, hidden_states: Tensor, *others: Any, **options: Any) -> Tensor:
        return hidden_states


class _InnerUpBlock(nn.Module):
    """In place of all inner blocks on the way up.

    A model takes as many skips for a block as the block has ``resnets``. Of the blocks that are left, one skip is for
    the inner ones: the inputs of the low resolution.
    """

    has_cross_attention = False

    def __init__(self) -> None:
        super().__init__()
        self.resnets = (None,)
        self.stand_in: StandIn | None = None

    def forward(
        self,
        hidden_states: Tensor,
        res_hidden_states_tuple: tuple[Tensor, ...] = (),
        temb: Tensor | None = None,
        **options: Any,
    ) -> Tensor:
        assert self.stand_in is not None and temb is not None
        return self.stand_in(hidden_states, temb)
