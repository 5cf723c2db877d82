"""The version of ScaleFlow that is running."""

from __future__ import annotations

import functools
import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def scaleflow_version() -> str:
    """As installed; ``0+source`` where the sources are used without installation."""
    try:
        return version("scaleflow")
    except PackageNotFoundError:
        return "0+source"


@functools.cache
def code_hash() -> str:
    """SHA-256 of all modules of the package, as hexadecimal digits: tells apart sources of one version."""
    package = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    # Folders of the repository are links here, which rglob does not follow on all versions of Python.
    found = {path.name: path for path in package.glob("*.py")}
    for folder in (path for path in package.iterdir() if path.is_dir()):
        place = folder.resolve()
        found |= {f"{folder.name}/{path.relative_to(place)}": path for path in place.rglob("*.py")}
    for name in sorted(found):
        digest.update(f"{name}\n".encode() + found[name].read_bytes())
    return digest.hexdigest()
