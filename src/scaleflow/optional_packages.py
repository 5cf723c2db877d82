"""Packages that only some uses need, and what to install where they are missing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from scaleflow.errors import UsageError


def require_packages(purpose: str, extra: str, modules: Sequence[str]) -> None:
    """Check that modules can be imported, without importing them.

    Args:
        purpose: what needs them, as the subject of a sentence.
        extra: the extra of this distribution that installs them.
        modules: top-level names of the modules.

    Raises:
        UsageError: some are not installed; says which, and the command that installs them.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        are = "a package that is" if len(missing) == 1 else "packages that are"
        raise UsageError(
            f'{purpose} needs {are} not installed ({", ".join(missing)}): pip install ".[{extra}]"'
        )
