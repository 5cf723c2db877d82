"""Masks of regions of interest that belong to clips: where they are found, and how all codecs get them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.encoding.region_masks import OpenMasks, to_codes
from scaleflow.codec.video.picture_sequence import PICTURE_SUFFIXES
from scaleflow.errors import UsageError
from scaleflow.evaluation.rate_distortion.clip_files import VIDEO_SUFFIXES, ClipFile
from scaleflow.roi.mask_sources.box_file import read_box_file
from scaleflow.roi.mask_sources.mask_file import open_mask_file

DAVIS = "davis"
"""Stands for the masks that DAVIS has of its pictures."""

_PICTURES, _ANNOTATIONS = "JPEGImages", "Annotations"
BOXES_SUFFIX = ".json"


def find_masks(place: str, clips: Sequence[ClipFile]) -> dict[str, Path]:
    """The masks of each clip, by its name.

    Args:
        place: ``davis`` for pictures in DAVIS's layout, whose masks lie beside them; else a folder that holds, by the
            name of each clip, a folder of pictures, a video, a picture, or a ``.json`` of boxes; or one in DAVIS's
            layout; or the masks of the only clip.

    Raises:
        UsageError: a clip has no masks there, or several.
    """
    return {clip.name: _masks_of_clip(place, clip, len(clips) == 1) for clip in clips}


def _masks_of_clip(place: str, clip: ClipFile, is_only: bool) -> Path:
    root = Path(place)
    if place == DAVIS and not root.exists():
        return _beside_pictures(clip)
    if not root.exists():
        raise UsageError(
            f"masks {place}: there is no such file or folder (or give davis, for DAVIS's own)", fields=("masks",)
        )
    if is_only and (root.is_file() or _holds_pictures(root)):
        return root
    names = list(dict.fromkeys((clip.name, Path(clip.name).stem)))
    suffixes = (*VIDEO_SUFFIXES, *PICTURE_SUFFIXES, BOXES_SUFFIX)
    found = [root / name for name in names if _holds_pictures(root / name)]
    found += [path for path in (root / f"{names[-1]}{suffix}" for suffix in suffixes) if path.is_file()]
    found = found or [path for path in root.glob(f"{_ANNOTATIONS}/*/{names[-1]}") if _holds_pictures(path)]
    if len(found) != 1:
        what = f"several regions ({', '.join(str(path) for path in found)})" if found else "no region"
        raise UsageError(
            f"masks {place}: holds {what} of {clip.name}: a folder of pictures, a video, a picture or a .json of boxes "
            f"that is named {names[-1]} is looked for",
            fields=("masks",),
        )
    return found[0]


def _beside_pictures(clip: ClipFile) -> Path:
    place = clip.origin or clip.path
    parts = list(place.resolve().parts)
    if _PICTURES in parts:
        parts[parts.index(_PICTURES)] = _ANNOTATIONS
        path = Path(*parts)
        if _holds_pictures(path):
            return path
        raise UsageError(f"masks {DAVIS}: {path} has none of {clip.name}", fields=("masks",))
    raise UsageError(
        f"masks {DAVIS}: {place} does not lie in a folder {_PICTURES}, as DAVIS's pictures do", fields=("masks",)
    )


def _holds_pictures(path: Path) -> bool:
    return path.is_dir() and any(entry.suffix.lower() in PICTURE_SUFFIXES for entry in path.iterdir())


class MaskHash:
    """Identity of masks: of all their values, in 256 steps."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, mask: NDArray[np.float32]) -> None:
        """The next picture's."""
        self._hash.update(to_codes(mask).tobytes())

    def digest(self) -> str:
        """SHA-256 of all so far, shortened."""
        return self._hash.hexdigest()[:20]


class WrittenMasks:
    """A folder of grey pictures, one for each picture of a clip, that any codec can be given; ``content`` is which."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self._count = folder, 0
        self.content = MaskHash()

    def write(self, mask: NDArray[np.float32]) -> None:
        """The next picture's mask (height, width), 0..1, in 256 steps."""
        from PIL import Image

        Image.fromarray(to_codes(mask)).save(self.folder / f"{self._count:06d}.png", compress_level=1)
        self.content.add(mask)
        self._count += 1


def open_masks_at(path: Path) -> OpenMasks:
    """Masks of any form that :func:`find_masks` finds.

    Raises:
        UsageError: there is no such file.
        DataError: it holds boxes that are malformed.
    """
    return read_box_file(path).masks if path.suffix == BOXES_SUFFIX else partial(open_mask_file, path)
