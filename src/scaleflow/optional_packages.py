"""Packages that only some uses need, and what to install where they are missing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from scaleflow.errors import UsageError

EXTRAS = {
    "bjontegaard": "evaluate",
    "compressai": "compressai",
    "imageio_ffmpeg": "evaluate",
    "lpips": "evaluate",
    "matplotlib": "evaluate",
    "numba": "networks",
    "PIL": "networks",
    "polars": "evaluate",
    "pycocotools": "evaluate",
    "pydantic": "train",
    "pytorch_msssim": "evaluate",
    "ray": "cluster",
    "stlpips_pytorch": "perceptual",
    "tensorboard": "train",
    "torchvision": "networks",
    "typing_extensions": "train",
    "yaml": "train",
}
"""Extras of this distribution, by the top-level name of a module that encoding and decoding can do without."""


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
        raise UsageError(_what_to_install(purpose, extra, missing))


def what_to_install(error: ModuleNotFoundError, purpose: str) -> str | None:
    """What to say of a failed import: the missing package, and the command that installs it.

    Args:
        error: of an ``import`` statement.
        purpose: what was being done, as the subject of a sentence.

    Returns:
        A sentence, or None where no extra has the package: then the installation is broken.
    """
    module = (error.name or "").partition(".")[0]
    return _what_to_install(purpose, EXTRAS[module], [module]) if module in EXTRAS else None


def _what_to_install(purpose: str, extra: str, missing: Sequence[str]) -> str:
    are = "a package that is" if len(missing) == 1 else "packages that are"
    return f'{purpose} needs {are} not installed ({", ".join(missing)}): pip install ".[{extra}]"'
