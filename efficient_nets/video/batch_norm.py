"""Batch norm folded into the convolutions before it, so that what follows a convolution is no longer linear."""

from __future__ import annotations

import logging
from collections import defaultdict
from itertools import pairwise

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

logger = logging.getLogger(__name__)


def fold_batch_norms(model: nn.Module) -> tuple[str, ...]:
    """Fold in place, and name the batch norms that are gone (an ``nn.Identity`` stands where each was).

    The arithmetic is torch's :func:`fuse_conv_bn_eval`. Which batch norm follows which convolution is read from a
    symbolic trace. Of a model that cannot be traced, the largest parts that can be are, as if each ran as a whole, and
    in an ``nn.Sequential`` neighbours follow each other. A batch norm stays as it is, and runs as any other layer,
    where its convolution's output is used elsewhere too, where it has no running statistics, and where either is of a
    class of its own or has hooks. ``model`` must be in eval mode.
    """
    names = {id(module): name for name, module in model.named_modules()}
    folded = []
    for convolution, norm in _pairs(model):
        if not (_plain(convolution, nn.Conv2d) and _plain(norm, nn.BatchNorm2d)) or norm.running_mean is None:
            continue
        assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        replace_module(model, convolution, fuse_conv_bn_eval(convolution, norm))
        replace_module(model, norm, nn.Identity())
        folded.append(names[id(norm)])
    return tuple(folded)


def replace_module(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put ``new`` wherever ``old`` stands below ``model``."""
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if child is old:
                parent._modules[name] = new


def has_hooks(module: nn.Module) -> bool:
    """Hooks would be lost with a module that is replaced."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(module, kind) for kind in hooks)


def _plain(module: nn.Module, kind: type[nn.Module]) -> bool:
    return type(module) is kind and not has_hooks(module)


def _pairs(model: nn.Module) -> list[tuple[nn.Module, nn.Module]]:
    """Modules that may be a convolution and its batch norm."""
    try:
        return _traced_pairs(model, fx.Tracer().trace(model))
    except Exception as error:  # a trace runs the model's own code on stand-ins, and that may raise anything
        logger.info("no symbolic trace of %s (%s): its parts are traced one by one", type(model).__name__, error)
    places: dict[int, int] = defaultdict(int)
    for module in model.modules():
        for part in module._modules.values():
            places[id(part)] += 1
    pairs = [pair for child in model.children() if list(child.children()) for pair in _pairs(child)]
    if type(model).forward is nn.Sequential.forward:
        pairs += pairwise(model.children())
    return [pair for pair in pairs if all(places[id(module)] == 1 for module in pair)]


def _traced_pairs(model: nn.Module, graph: fx.Graph) -> list[tuple[nn.Module, nn.Module]]:
    """Convolutions and batch norms of which each always runs right after or before the other."""
    modules = dict(model.named_modules(remove_duplicate=False))
    calls: dict[int, list[fx.Node]] = defaultdict(list)
    for node in graph.nodes:
        if node.op == "call_module":
            calls[id(modules[str(node.target)])].append(node)
    read = {str(node.target).rpartition(".")[0] for node in graph.nodes if node.op == "get_attr"}
    used_by_hand = {id(modules[name]) for name in read if name in modules}

    def called(node: object) -> nn.Module | None:
        if not isinstance(node, fx.Node) or node.op != "call_module":
            return None
        return modules[str(node.target)]

    pairs = []
    for node in graph.nodes:
        norm = called(node)
        convolution = called(node.args[0]) if norm is not None and len(node.args) == 1 else None
        if norm is None or convolution is None or calls[id(norm)][0] is not node:
            continue
        users = {id(called(user)) for call in calls[id(convolution)] for user in call.users}
        sources = {id(called(call.args[0] if call.args else None)) for call in calls[id(norm)]}
        if users == {id(norm)} and sources == {id(convolution)} and id(convolution) not in used_by_hand:
            pairs.append((convolution, norm))
    return pairs
