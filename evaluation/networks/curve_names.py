"""What points are called where those of several networks stand beside each other."""

from __future__ import annotations

from collections.abc import Sequence

from scaleflow.efficient_nets.methods.known_methods import DENSE
from scaleflow.evaluation.networks.point import NetworkPoint

AFTER = " after "
"""Stands in the text that identifies a network before what is done to its pictures first."""


def network_names(points: Sequence[NetworkPoint]) -> dict[str, str]:
    """Names of the networks, by the text that identifies them, in the order of the points.

    Settings are left out where no other network has the same name; what stands before a network is kept.
    """
    texts = list(dict.fromkeys(point.identity.network for point in points))
    plain = list(dict.fromkeys(text.partition(AFTER)[0] for text in texts))
    first_words = [text.partition(" ")[0] for text in plain]
    names = {
        text: word if first_words.count(word) == 1 else text for text, word in zip(plain, first_words, strict=True)
    }
    return {text: names[own] + after + front for text in texts for own, after, front in [text.partition(AFTER)]}


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
