"""Names of the adversarial losses; :mod:`scaleflow.adversarial.losses` computes them."""

from __future__ import annotations

from typing import Literal, get_args

from scaleflow.errors import UsageError

AdversarialLoss = Literal["non-saturating", "hinge", "least-squares", "relativistic"]

LOSSES: tuple[AdversarialLoss, ...] = get_args(AdversarialLoss)


def check_loss(kind: str) -> None:
    """Raises :class:`UsageError` where there is no such adversarial loss."""
    if kind not in LOSSES:
        raise UsageError(f"loss {kind!r} is no adversarial loss: choose among {', '.join(LOSSES)}")
