"""The end of a search: one candidate for each layer."""

from __future__ import annotations

from collections.abc import Mapping

from scaleflow.efficient_nets.delta_distillation.delta_layer import Candidate
from scaleflow.efficient_nets.delta_distillation.training import delta_layers
from scaleflow.efficient_nets.video.network import VideoNetwork
from scaleflow.errors import UsageError


def finalize(network: VideoNetwork, choices: Mapping[str, Candidate] | None = None) -> dict[str, Candidate]:
    """Keep in each layer the candidate whose odds are better, or the one that ``choices`` names; drop the others.

    Returns the choice of each layer. With these, a network that was made anew takes the form of this one, so that it
    can load its ``state_dict()``.

    Raises:
        UsageError: ``choices`` leaves layers out, names others, or names what a layer no longer has.
    """
    layers = {layer.name: layer for layer in delta_layers(network)}
    found: dict[str, Candidate] = {name: layer.choice for name, layer in layers.items()}
    if choices is not None and set(choices) != set(layers):
        wrong = sorted(set(choices) ^ set(layers))
        raise UsageError(f"choices do not fit the network: it has, or they have, no layer {', '.join(wrong)}")
    found.update(choices or {})
    for name, layer in layers.items():
        layer.finalize(found[name])
    return found
