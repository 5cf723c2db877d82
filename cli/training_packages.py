"""What training needs beyond coding."""

from __future__ import annotations

from importlib.util import find_spec

from codec.errors import UsageError

PACKAGES = ("pydantic", "yaml", "pytorch_msssim")


def require_training_packages() -> None:
    """Raises :class:`UsageError` where a package is not installed that only training needs."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UsageError(
            f'training needs packages that are not installed ({", ".join(missing)}): pip install ".[train]"'
        )
