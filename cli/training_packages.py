"""What training needs beyond coding."""

from __future__ import annotations

from scaleflow.optional_packages import require_packages

PACKAGES = ("pydantic", "yaml", "pytorch_msssim")


def require_training_packages() -> None:
    """Raises :class:`UsageError` where a package is not installed that only training needs."""
    require_packages("training", "train", PACKAGES)
