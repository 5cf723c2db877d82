"""Losses and parameters for training a network with delta distillation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.delta_distillation.delta_layer import DeltaLayer
from scaleflow.efficient_nets.video.network import VideoNetwork
from scaleflow.errors import UsageError


def predicts_changes(network: VideoNetwork) -> bool:
    """Whether any layer predicts changes."""
    return any(isinstance(layer, DeltaLayer) for layer in network.converted_layers())


def delta_layers(network: VideoNetwork) -> list[DeltaLayer]:
    """Layers that predict changes.

    Raises:
        UsageError: there are none.
    """
    layers = [layer for layer in network.converted_layers() if isinstance(layer, DeltaLayer)]
    if not layers:
        raise UsageError(
            "no layer of the network predicts changes: make it with accelerate(model, DeltaDistillation())"
        )
    return layers


def distillation_loss(network: VideoNetwork, *, per_layer: bool = False) -> Tensor:
    """How wrong the changes of outputs were predicted in the last clip, in training mode.

    The mean over layers of the mean square error, of Habibian et al., "Delta Distillation", ECCV 2022, over its value
    for the first clip; with ``per_layer``, each layer's over its own first value, so that all weigh the same. First
    values are those of the compressed candidates, as a full one starts without an error: without a search, the loss of
    the first clip is 1. They are part of ``state_dict()``, so a training that goes on keeps its scale. To be taken once
    for a clip.

    Raises:
        UsageError: the last clip had nothing to learn from.
    """
    found = []
    for layer in delta_layers(network):
        calls, layer.errors = layer.errors, []
        if not calls:
            continue
        error = torch.stack(calls).sum()
        compressed = torch.stack(layer.compressed_errors).sum()
        layer.first_error.copy_(torch.where(layer.first_error > 0, layer.first_error, compressed))
        found.append((error, layer.first_error))
    if not found:
        raise UsageError(
            "nothing was distilled: call train(), then forward_clip() with two frames or more, before this"
        )
    errors, firsts = (torch.stack(values) for values in zip(*found, strict=True))
    smallest = torch.finfo(firsts.dtype).tiny
    if per_layer:
        return (errors / firsts.clamp_min(smallest)).mean()
    return errors.sum() / firsts.sum().clamp_min(smallest)


def cost_loss(network: VideoNetwork) -> Tensor:
    """Share of the dense MACs that later frames of the last clip spent in layers that predict, in training mode.

    The sum over layers of the MACs of the candidate that was drawn, over those of the layers themselves; gradients go
    to the odds of the candidates. Without a search it is a constant. To be taken once for a clip.

    Raises:
        UsageError: the last clip had no later frames, or was not in training mode.
    """
    return network.sparsity_loss()


def student_parameters(network: VideoNetwork) -> list[nn.Parameter]:
    """Weights of students and odds of candidates, which learn at a higher rate than the rest (ten times, there)."""
    parameters = []
    for layer in delta_layers(network):
        parameters += list(layer.students.parameters())
        if layer.log_odds is not None:
            parameters.append(layer.log_odds)
    return parameters
