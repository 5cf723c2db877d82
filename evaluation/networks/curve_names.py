"""What points are called where those of several networks stand beside each other."""

from __future__ import annotations

from collections.abc import Sequence

from scaleflow.efficient_nets.methods.known_methods import DENSE
from scaleflow.evaluation.networks.point import NetworkPoint


def network_names(points: Sequence[NetworkPoint]) -> dict[str, str]:
    """Names of the networks, by the text that identifies them, in the order of the points.

    Settings are left out where no other network has the same name.
    """
    texts = list(dict.fromkeys(point.identity.network for point in points))
    first_words = [text.partition(" ")[0] for text in texts]
    return {text: word if first_words.count(word) == 1 else text for text, word in zip(texts, first_words, strict=True)}


def curve_names(points: Sequence[NetworkPoint]) -> list[str]:
    """Of each point, what the curve that it belongs to is called: its method, and its network if there are several."""
    networks = network_names(points)
    names = []
    for point in points:
        method = point.identity.method
        if len(networks) == 1:
            names.append("dense, at several sizes" if method == DENSE else method)
        else:
            network = networks[point.identity.network]
            names.append(network if method == DENSE else f"{network}, {method}")
    return names
