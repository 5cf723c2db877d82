"""What training and measuring need beyond coding: checked before their modules are imported."""

from __future__ import annotations

from scaleflow.optional_packages import require_packages

TRAINING = ("compressai", "pydantic", "yaml", "pytorch_msssim")
MEASURING = ("bjontegaard", "matplotlib", "PIL", "polars", "torchvision")


def require_training_packages() -> None:
    """Raises :class:`UsageError` where a package is not installed that training needs."""
    require_packages("training", "train", TRAINING)


def require_measuring_packages(verb: str) -> None:
    """Raises :class:`UsageError` where a package is not installed that ``verb``, with its results, needs."""
    require_packages(f"scaleflow {verb}", "evaluate", MEASURING)
