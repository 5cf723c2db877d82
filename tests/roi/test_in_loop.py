"""Masks that are found in decoded pictures."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from scaleflow.codec.encoding.region_masks import InLoopMasks, MaskSource
from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.errors import UsageError
from scaleflow.roi.mask_sources.in_loop import FinderInLoop
from tests.roi.conftest import video_of


class BrightQuarters:
    """Of a picture in quarters of its sides, those that are bright."""

    def find(self, picture: Picture, neighbour: Picture | None, video: VideoProperties) -> NDArray[np.float32]:
        assert neighbour is None
        height, width = picture.planes[0].shape
        return (picture.planes[0][2 :: height // 4, 2 :: width // 4] > 128).astype(np.float32)


def bright_in_the_corner() -> Picture:
    luma = np.zeros((64, 96), np.uint8)
    luma[48:, 72:] = 255
    chroma = np.full((32, 48), 128, np.uint8)
    return Picture((luma, chroma, chroma), 0)


@pytest.mark.parametrize("dilation", [0, 8, 20])
def test_what_is_found_grows_to_all_sides(dilation: int) -> None:
    picture, video = bright_in_the_corner(), video_of(96, 64)
    plain = FinderInLoop(BrightQuarters(), 0).mask_from(picture, video)
    mask = FinderInLoop(BrightQuarters(), dilation).mask_from(picture, video)
    assert mask.shape == (64, 96) and mask.dtype == np.float32 and mask[-1, -1] == 1 and mask[0, 0] == 0
    top, left = np.argwhere(plain > 0.5).min(0)
    assert tuple(np.argwhere(mask > 0.5).min(0)) == (top - dilation, left - dilation)
    assert (abs(top - 48), abs(left - 72)) <= (1, 1)


def test_it_is_made_while_coding() -> None:
    masks = FinderInLoop(BrightQuarters())
    assert isinstance(masks, InLoopMasks) and not isinstance(masks, MaskSource)


@pytest.mark.parametrize("dilation", [-1, 257])
def test_dilation_is_in_a_range(dilation: int) -> None:
    with pytest.raises(UsageError, match=f"dilation {dilation} is outside 0..256"):
        FinderInLoop(BrightQuarters(), dilation)
