"""A folder of pictures as a source of clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scaleflow.errors import DataError, UsageError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm", ".tif", ".tiff"})


class PictureFolder:
    """All pictures below a folder as places that clips are made from, all alike: a large one is often dull."""

    def __init__(self, folder: Path) -> None:
        """List the pictures.

        Raises:
            UsageError: there is no such folder.
            DataError: it holds no picture.
        """
        self._folder = folder
        self._paths = list_pictures(folder)

    def __len__(self) -> int:
        return len(self._paths)

    def weights(self) -> Sequence[float]:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        return [1.0] * len(self)

    def file_of(self, index: int) -> Path:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        return self._paths[index]


def list_pictures(folder: Path) -> list[Path]:
    """All pictures below a folder, sorted.

    Raises:
        UsageError: there is no such folder.
        DataError: it holds no picture.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder of pictures")
    paths = sorted(path for path in folder.rglob("[!.]*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise DataError(f"{folder}: holds no picture ({', '.join(sorted(SUFFIXES))})")
    return paths
