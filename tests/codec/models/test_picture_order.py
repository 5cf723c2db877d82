"""Orders are checked when they are made, and models say what they cannot do."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from scaleflow.codec.models.capabilities import (
    AnalysesPictures,
    CanBeTrained,
    CodesRegions,
    RefinesLatents,
    TellsPictureChange,
    require_analysis,
    require_picture_change,
    require_refinement,
)
from scaleflow.codec.models.picture_order import LatentRefinement, PictureOrder, RegionOrder
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.errors import UsageError
from scaleflow.roi.coding import LatentScaling
from tests.codec.stand_in import StandInModel


@pytest.mark.parametrize("quality", [-0.5, 63.5, float("nan"), float("inf")])
def test_qualities_out_of_range_are_refused(quality: float) -> None:
    with pytest.raises(UsageError, match=rf"quality {quality} is outside 0\.\.63"):
        PictureOrder(quality)


@pytest.mark.parametrize("mask", [np.zeros((4, 4), np.float32), np.zeros((1, 4, 4), np.uint8)])
def test_masks_of_another_kind_are_refused(mask: NDArray[np.generic]) -> None:
    with pytest.raises(UsageError, match=r"give uint8 of \(height, width\)"):
        RegionOrder(mask, LatentScaling(3.0))  # type: ignore[arg-type]


def test_plain_models_refuse_regions_and_refinement() -> None:
    region = RegionOrder(np.zeros((4, 4), np.uint8), LatentScaling(3.0))
    PictureOrder(30).require_plain("plain")
    with pytest.raises(UsageError, match="model plain codes no regions of interest"):
        PictureOrder(30, region).require_plain("plain")
    with pytest.raises(UsageError, match="model plain refines no latents"):
        PictureOrder(30, refinement=LatentRefinement(1)).require_plain("plain")


def test_models_say_what_they_can_do(default_model: VideoModel) -> None:
    everything = (AnalysesPictures, TellsPictureChange, CodesRegions, RefinesLatents, CanBeTrained)
    assert all(isinstance(default_model, kind) for kind in everything)
    other = StandInModel()
    assert [kind for kind in everything if isinstance(other, kind)] == [CodesRegions]
    for require in (require_analysis, require_picture_change, require_refinement):
        with pytest.raises(UsageError, match="model default"):
            require(other)
