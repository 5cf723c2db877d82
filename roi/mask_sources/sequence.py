"""Masks that come one after the other, as those of a video do."""

from __future__ import annotations

from collections.abc import Callable, Generator

from scaleflow.errors import DataError
from scaleflow.roi.mask_sources.fitting import Mask

MaskSteps = Generator[Callable[[], Mask], None, None]
"""For each picture, what makes its mask: those that nobody asks for cost nothing more than being read."""


class MaskSequence:
    """Masks in the order of the pictures; asked for one that lies behind, it starts anew.

    Args:
        name: for messages.
        start: begins with the mask of the first picture.
        pictures: that the video has, about, where that is known.
    """

    def __init__(self, name: str, start: Callable[[], MaskSteps], pictures: int | None) -> None:
        self._name, self._start, self._pictures = name, start, pictures
        self._steps = start()
        self._read = 0
        self._last: tuple[int, Mask] | None = None

    def mask_at(self, number: int, seconds: float) -> Mask:
        """See :class:`scaleflow.codec.encoding.region_masks.MaskSource`.

        Raises:
            DataError: there are fewer masks than pictures; both counts are named.
        """
        if self._last is None or self._last[0] != number:
            self._last = number, self._step(number)()
        return self._last[1]

    def _step(self, number: int) -> Callable[[], Mask]:
        if number < self._read:
            self._steps.close()
            self._steps, self._read = self._start(), 0
        for step in self._steps:
            self._read += 1
            if self._read > number:
                return step
        raise too_few_masks(self._name, self._read, number, self._pictures)


def too_few_masks(name: str, masks: int, number: int, pictures: int | None) -> DataError:
    """The error for picture ``number``, from 0, of a video of about ``pictures``, that has no mask."""
    known = pictures is not None and pictures > number
    count = f"{pictures}" if known else f"at least {number + 1}"
    return DataError(
        f"{name}: holds {masks} mask{'' if masks == 1 else 's'}, the video has {count} pictures: give a mask for each, "
        "or a single picture file for all"
    )
