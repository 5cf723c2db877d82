"""Which models there are, and where their weights lie on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from scaleflow.codec.models.registry import DEFAULT_MODEL, WEIGHTS_FOLDER, list_models

_DEFAULT = "shipped with ScaleFlow: 4:2:0, 8 and 10 bit, every quality"
_SSF2020 = "CompressAI's scale-space flow, one rate, RGB of 8 bits; downloaded by CompressAI when first used"
_WITHOUT_COMPRESSAI = f'{_SSF2020}, which is not installed: pip install ".[compressai]"'


@dataclass(frozen=True)
class InstalledModel:
    """A name that ``load_model`` takes; ``path`` is None where the weights would have to be downloaded."""

    name: str
    description: str
    path: Path | None
    file_bytes: int


def installed_models() -> list[InstalledModel]:
    """All models that are known by name. Nothing is downloaded."""
    return [_describe(name) for name in list_models()]


def _describe(name: str) -> InstalledModel:
    if name == DEFAULT_MODEL:
        path, description = WEIGHTS_FOLDER / "default.safetensors", _DEFAULT
    elif find_spec("compressai") is None:
        return InstalledModel(name, _WITHOUT_COMPRESSAI, None, 0)
    else:
        from scaleflow.codec.models.ssf2020 import cached_checkpoint

        path, description = cached_checkpoint(int(name.rpartition("-")[2])), _SSF2020
    there = path.is_file()
    return InstalledModel(name, description, path if there else None, path.stat().st_size if there else 0)
