"""What every finder of regions has in common."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.picture import Picture, VideoProperties


class RegionFinder(Protocol):
    """Says where in a picture something is that matters: by motion, by a network, or by anything else."""

    def find(self, picture: Picture, neighbour: Picture | None, video: VideoProperties) -> NDArray[np.float32]:
        """A mask of 0..1, (h, w), of any size in the aspect ratio of the picture.

        Args:
            picture: planes in 4:2:0.
            neighbour: the picture before it, or where a scene starts the one after it; None where it stands alone.
                Finders that regard single pictures leave it alone.
            video: how samples are to be read.
        """
