"""The version of ScaleFlow that is running."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def scaleflow_version() -> str:
    """As installed; ``0+source`` where the sources are used without installation."""
    try:
        return version("scaleflow")
    except PackageNotFoundError:
        return "0+source"
