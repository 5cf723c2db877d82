"""Exponential moving average of weights: what is validated and exported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """Follows the named parameters; early on it forgets faster, so that the start does not linger."""

    def __init__(self, parameters: dict[str, nn.Parameter], decay: float) -> None:
        self._parameters = parameters
        self._decay = decay
        self.updates = 0
        self.values: dict[str, Tensor] = {name: p.detach().clone() for name, p in parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the parameters as they are."""
        self.updates += 1
        decay = min(self._decay, self.updates / (self.updates + 10))
        current = [parameter.detach() for parameter in self._parameters.values()]
        torch._foreach_lerp_(list(self.values.values()), current, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within, the parameters are the averages."""
        kept = {name: parameter.detach().clone() for name, parameter in self._parameters.items()}
        self._load(self.values)
        try:
            yield
        finally:
            self._load(kept)

    def keep(self) -> None:
        """Set the parameters to the averages for good."""
        self._load(self.values)

    def state(self) -> dict[str, object]:
        """For a checkpoint."""
        return {"updates": self.updates, "values": self.values}

    def load_state(self, state: dict[str, object]) -> None:
        """Inverse of :meth:`state`."""
        updates, values = state["updates"], state["values"]
        assert isinstance(updates, int) and isinstance(values, dict)
        self.updates = updates
        for name, value in self.values.items():
            value.copy_(values[name])

    @torch.no_grad()
    def _load(self, values: dict[str, Tensor]) -> None:
        for name, parameter in self._parameters.items():
            parameter.copy_(values[name])
