"""What to measure, as people type it."""

from __future__ import annotations

from collections.abc import Sequence

from scaleflow.efficient_nets.methods.known_methods import DENSE
from scaleflow.efficient_nets.methods.named_method import NamedMethod, known_settings
from scaleflow.efficient_nets.methods.settings_text import parse_settings
from scaleflow.errors import UsageError
from scaleflow.evaluation.networks.evaluate import NetworkSetting


def network_settings(
    methods: Sequence[str], threshold: str | None, sizes: Sequence[tuple[int, int]], trained: NamedMethod
) -> list[NetworkSetting]:
    """Points to measure, each once: the dense network at every size, methods at the first; those that sample at theirs.

    Args:
        methods: as in ``skip-conv threshold=0,0.1 block=8``.
        threshold: further values of that setting, for methods that have it and where none is given.
        sizes: (width, height).
        trained: the method that the network was trained for, whose settings hold where no others are given.

    Raises:
        UsageError: a method or a setting is unknown, or has a value that is refused.
    """
    found = [NetworkSetting(NamedMethod(), size) for size in sizes]
    used = threshold is None
    for text in methods:
        name, *words = text.split() or [""]
        if threshold is not None and "threshold" in known_settings(name):
            used = True
            if not any(word.startswith("threshold=") for word in words):
                words.append(f"threshold={threshold}")
        start = trained if trained.name == name else NamedMethod(name)
        methods_of_name = [start.changed(settings) for settings in parse_settings(words)]
        for method in methods_of_name:
            if method.name != DENSE:
                found.append(NetworkSetting(method, method.shown_size or sizes[0]))
    if not used:
        raise UsageError(
            f"threshold {threshold}: none of the methods has it; add method skip-conv", fields=("threshold", "method")
        )
    return [setting for number, setting in enumerate(found) if setting not in found[:number]]


def one_setting(method: str | None, size: tuple[int, int], trained: NamedMethod) -> NetworkSetting:
    """A single one, of a method as it is typed; that which the network was trained for, where None is given.

    Raises:
        UsageError: it is unknown, or has several values of a setting.
    """
    methods = [method or trained.name]
    settings = network_settings(methods, None, [size], trained)
    found = [setting for setting in settings if setting.method.name == methods[0].split()[0]]
    if len(found) != 1:
        raise UsageError(f"method {method}: gives {len(found)} settings, one is run", fields=("method",))
    return found[0]
