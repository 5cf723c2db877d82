"""How regions of interest are coded, as settings say it before there is a model."""

from __future__ import annotations

from typing import Protocol

from scaleflow.codec.models.region_coding import RegionCoding
from scaleflow.codec.models.video_model import VideoModel


class RegionMethod(Protocol):
    """How regions of interest are to be coded, said before the model is loaded."""

    def coding_for(self, model: VideoModel) -> RegionCoding:
        """What codes regions with this model.

        Raises:
            UsageError: the model codes no regions, or the method lacks what it needs.
            DataError: what it needs cannot be read, or does not fit the model.
        """
