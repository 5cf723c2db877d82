"""Pictures beside those that show the same scene a moment earlier or later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scaleflow.codec.encoding.scene_cut import SceneCutDetector
from scaleflow.codec.picture import Picture


def with_neighbours(pictures: Iterable[Picture], bit_depth: int) -> Iterator[tuple[Picture, Picture | None]]:
    """Each picture with the one before it; at the start of a scene with the one after; alone with None."""
    detector = SceneCutDetector(bit_depth)
    before: Picture | None = None
    waiting: Picture | None = None
    for picture in pictures:
        is_cut = detector.is_cut(picture.planes[0])
        if waiting is not None:
            yield waiting, None if is_cut else picture
            waiting = None
        if before is None or is_cut:
            waiting = picture
        else:
            yield picture, before
        before = picture
    if waiting is not None:
        yield waiting, None
