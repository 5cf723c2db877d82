"""The loss of a frozen network: that it finds in decoded pictures what it finds in originals, or what labels say."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from scaleflow.efficient_nets.network_loss.distance import feature_distance, output_distance
from scaleflow.efficient_nets.network_loss.distance_kinds import Distance
from scaleflow.efficient_nets.network_loss.frozen_network import read_frozen_network
from scaleflow.efficient_nets.tasks.known_tasks import TASKS
from scaleflow.errors import UsageError

LABELLED = "foreground"
"""The task whose labels are masks of a region, which clips may bring."""


class NetworkLoss:
    """Distances of pictures, with gradients for those that were decoded.

    Args:
        run: of ``scaleflow nets train``, or its weights.
        distance: what is compared.
        scale: what pictures are scaled by before the network sees them.
        task: that the network must be for; empty for any.

    Raises:
        UsageError, DataError: as :func:`scaleflow.efficient_nets.network_loss.frozen_network.read_frozen_network`; or
            ``labels`` of another task than foreground.
    """

    def __init__(self, run: Path, distance: Distance, scale: float = 1.0, task: str = "") -> None:
        found = read_frozen_network(run, task)
        self.network, self._task = found.network, found.task
        self._distance, self._scale = distance, scale
        if distance == "labels" and self.network.task != LABELLED:
            raise UsageError(
                f"{run}: was trained for {self.network.task}; distance labels is of {LABELLED}, as clips bring masks "
                "only: use outputs or features"
            )

    def __call__(self, original: Tensor, decoded: Tensor, labels: Tensor | None = None) -> Tensor:
        """Of each picture, (N,).

        Args:
            original, decoded: R'G'B' (N, 3, H, W) in 0..1, as the network is shown it.
            labels: (N, H, W), class numbers; for ``labels``.
        """
        shown = self.network.scaled(decoded, self._scale)
        if self._distance == "labels":
            assert labels is not None and self._task is not None
            outputs = self.network.look(shown).outputs
            pairs = zip(outputs.split(1), labels.split(1), strict=True)
            return torch.stack([self._task.loss(output, wanted) for output, wanted in pairs])
        with torch.no_grad():
            source = self.network.scaled(original, self._scale)
            noise = self.network.noise * torch.randn_like(source) if self.network.noise else 0
            of_source = self.network.look(source + noise)
        found = self.network.look(shown + noise)
        if self._distance == "features":
            return feature_distance(of_source.features, found.features)
        return output_distance(TASKS[self.network.task].gives, of_source.outputs, found.outputs)
