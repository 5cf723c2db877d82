"""Masks that a finder makes of decoded pictures, while the next ones are coded."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.ndimage import maximum_filter

from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.errors import UsageError
from scaleflow.roi.finders.region_finder import RegionFinder
from scaleflow.roi.mask_sources.fitting import Mask, rescale

DEFAULT_DILATION = 8
"""Samples; half a square of the map of quantization steps, and more than most things move from picture to picture."""

MOST_DILATION = 256


@dataclass(frozen=True)
class FinderInLoop:
    """Implements :class:`scaleflow.codec.encoding.region_masks.InLoopMasks`: the encoder needs no picture in advance.

    The mask of a picture is what was found in the one before as decoded, where it was: nothing moves it along. It is
    dilated instead, by as much as things may move. That of a key frame is what is found in the picture itself, dilated
    as much.

    Attributes:
        finder: is asked for each picture, without a neighbour. With several workers it is copied to them by pickling.
        dilation: samples of the video by which regions grow to all sides, 0 to 256.

    Raises:
        UsageError: ``dilation`` is out of range.
    """

    finder: RegionFinder
    dilation: int = DEFAULT_DILATION

    def __post_init__(self) -> None:
        if not 0 <= self.dilation <= MOST_DILATION:
            raise UsageError(f"dilation {self.dilation} is outside 0..{MOST_DILATION}", fields=("dilation",))

    def mask_from(self, picture: Picture, video: VideoProperties) -> Mask:
        """See :class:`scaleflow.codec.encoding.region_masks.InLoopMasks`."""
        mask = rescale(self.finder.find(picture, None, video), video.height, video.width)
        if not self.dilation:
            return mask
        dilated: Mask = maximum_filter(mask, 2 * self.dilation + 1, mode="nearest")
        return dilated
