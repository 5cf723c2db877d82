"""Whether a discriminator and its decoder still teach each other, told while they are trained."""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)

WON, LOST = 0.95, 0.52
"""Accuracies beyond which nothing is learned: all is told right, or nothing but by chance."""

PATIENCE = 200
"""Successive steps beyond them before something is said."""


class DiscriminatorHealth:
    """Watches the discriminators' accuracy and what reaches the decoder, and says once what to do about it."""

    def __init__(self) -> None:
        self._won = self._lost = self._silent = 0

    def note(self, accuracy: float, gradient: float) -> str | None:
        """Take down a step: accuracy 0..1, and the norm of the adversarial loss's gradient at the decoded pictures.

        Returns:
            What is wrong and the remedy, when it has been so for ``PATIENCE`` steps; it is logged, too.
        """
        self._won = self._won + 1 if accuracy > WON else 0
        self._lost = self._lost + 1 if accuracy < LOST else 0
        self._silent = self._silent + 1 if gradient < 1e-9 else 0
        message = None
        if self._won == PATIENCE:
            message = (
                f"the discriminator tells {accuracy:.0%} right for {PATIENCE} steps, so that the decoder learns little "
                "from it: lower adversarial.learning_rate, or raise adversarial.feature_matching"
            )
        elif self._lost == PATIENCE:
            message = (
                f"the discriminator tells {accuracy:.0%} right for {PATIENCE} steps, no more than by chance: raise "
                "adversarial.learning_rate, or take larger discriminators"
            )
        elif self._silent == PATIENCE:
            message = (
                f"no gradient of the adversarial loss has reached the decoder for {PATIENCE} steps: take another "
                "adversarial.loss, such as relativistic"
            )
        if message is not None:
            logger.warning("%s", message)
        return message
