"""From a network for pictures to one for video."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from scaleflow.efficient_nets.video.batch_norm import fold_batch_norms, has_hooks, replace_module
from scaleflow.efficient_nets.video.convolution import VideoConvolution, VideoLayer
from scaleflow.efficient_nets.video.network import UnconvertedLayer, VideoNetwork
from scaleflow.errors import UsageError


class VideoMethod(Protocol):
    """A way to reuse the frame before: the settings that :func:`accelerate` takes."""

    def convolution(self, dense: nn.Conv2d) -> VideoConvolution | None:
        """What takes the place of ``dense`` and keeps its parameters; None where the method would not pay."""


@runtime_checkable
class BlockMethod(VideoMethod, Protocol):
    """A method that also takes the place of whole blocks of layers."""

    @property
    def blocks(self) -> Collection[str | type[nn.Module]]:
        """Names of modules, or their types, that are replaced as wholes."""

    def replace_block(self, name: str, dense: nn.Module) -> VideoLayer:
        """What takes the place of ``dense``, which takes one picture and gives one, and keeps its parameters."""


def accelerate(
    model: nn.Module,
    method: VideoMethod,
    *,
    key_interval: int | None = None,
    exclude: Collection[str] = (),
) -> VideoNetwork:
    """A video network that does ``model``'s work by ``method``.

    ``model`` is copied and stays as it is. The copy is in eval mode, and batch norms are folded into the
    convolutions before them (see :func:`~scaleflow.efficient_nets.video.batch_norm.fold_batch_norms`), so it has
    none to fine-tune. Every ``nn.Conv2d`` is replaced, whatever its stride, padding, groups and dilation; a layer
    that stands at several places is replaced by one. All else runs in full on every frame; what of it has
    parameters is named in ``unconverted``, with the reason. Weights of converted layers are in channels-last order,
    as their outputs. A :class:`BlockMethod` replaces the blocks that it names, with all layers below them, before
    single convolutions.

    Args:
        key_interval: compute one frame of so many in full; None for the first alone.
        exclude: names of layers, or of modules with all layers below them, that are to stay as they are.

    Raises:
        UsageError: ``model`` is scripted or converted already, or ``exclude`` or the method's blocks name what it
            does not have.
        ValueError: ``key_interval`` is below 1.

    Example:
        >>> import scaleflow, torch
        >>> from scaleflow.efficient_nets.skip_convolutions.method import SkipConv
        >>> dense = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU())
        >>> video = scaleflow.accelerate(dense, SkipConv())
        >>> frame = torch.rand(1, 3, 16, 16)
        >>> bool(torch.allclose(video(frame), dense(frame), atol=1e-5))
        True
    """
    if isinstance(model, torch.jit.ScriptModule):
        raise UsageError(f"{type(model).__name__} is scripted: give accelerate() the module that it was made of")
    if any(isinstance(module, VideoNetwork | VideoLayer) for module in model.modules()):
        raise UsageError("the model is converted already: give accelerate() the one that it was made of")
    names = {name for name, _ in model.named_modules(remove_duplicate=False)}
    for name in exclude:
        if name not in names:
            raise UsageError(f"exclude names {name!r}, which the model does not have; see its named_modules()")
    blocks = _named_blocks(model, method, exclude)
    with torch.inference_mode(False):
        changed = copy.deepcopy(model).eval()
    folded = fold_batch_norms(changed)
    unconverted = []
    for name, layer in list(changed.named_modules()):
        if _is_below(name, [block for block in blocks if block != name]):
            continue
        reason = None if name in blocks else _why_left(name, layer, exclude)
        if reason is None:
            new = _replacement(name, layer, method, name in blocks)
            if new is not None:
                new.to(memory_format=torch.channels_last)
                replace_module(changed, layer, new)
                changed = new if layer is changed else changed
                continue
            reason = "too cheap for the method to pay"
        if any(parameter is not None for parameter in layer._parameters.values()):
            unconverted.append(UnconvertedLayer(name, type(layer).__name__, reason))
    return VideoNetwork(changed, tuple(unconverted), folded, key_interval)


def _replacement(name: str, layer: nn.Module, method: VideoMethod, is_block: bool) -> VideoLayer | None:
    if is_block:
        assert isinstance(method, BlockMethod)
        return method.replace_block(name, layer)
    assert isinstance(layer, nn.Conv2d)
    return method.convolution(layer)


def _named_blocks(model: nn.Module, method: VideoMethod, exclude: Collection[str]) -> set[str]:
    """Names of the outermost modules that the method replaces as wholes."""
    if not isinstance(method, BlockMethod):
        return set()
    found: set[str] = set()
    for block in method.blocks:
        named = [
            name
            for name, module in model.named_modules()
            if (name if isinstance(block, str) else type(module)) == block
        ]
        if not named:
            raise UsageError(f"blocks name {block!r}, which the model does not have; see its named_modules()")
        found.update(name for name in named if not _is_below(name, exclude))
    inside = [name for name in exclude if _is_below(name, found)]
    if inside:
        raise UsageError(f"exclude names {inside[0]!r}, which is part of a block: a block is replaced as a whole")
    return {name for name in found if not _is_below(name, found - {name})}


def _is_below(name: str, modules: Collection[str]) -> bool:
    """Whether ``name`` is one of these modules or a part of one; the whole model has no name."""
    return any(not module or name == module or name.startswith(f"{module}.") for module in modules)


def _why_left(name: str, layer: nn.Module, exclude: Collection[str]) -> str | None:
    """The reason why a layer is not converted; None when it is."""
    if _is_below(name, exclude):
        return "excluded"
    if isinstance(layer, nn.modules.batchnorm._BatchNorm):
        return "a batch norm that could not be folded into a convolution"
    if not isinstance(layer, nn.Conv2d):
        return "no nn.Conv2d"
    if type(layer) is not nn.Conv2d:
        return "a convolution of a class of its own, which may compute something else"
    return "has hooks, which would be lost" if has_hooks(layer) else None
