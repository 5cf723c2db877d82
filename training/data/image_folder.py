"""A folder of pictures, for the intra stage."""

from __future__ import annotations

import numpy as np

from scaleflow.errors import DataError, UsageError
from scaleflow.training.data.augmentation import crop_at_random, mirror_at_random
from scaleflow.training.data.clip import Clip, ClipRequest, stack_pictures
from scaleflow.training.data.clip_reader import reopen_video
from scaleflow.training.data.picture_folder import PictureFolder


class ImageFolder(PictureFolder):
    """A :class:`scaleflow.training.data.clip.ClipSource` whose clips are single pictures: all pictures below a
    folder."""

    def describe(self) -> str:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        return f"{len(self)} pictures."

    def read(self, index: int, request: ClipRequest, generator: np.random.Generator) -> Clip:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        if request.frames != 1:
            raise UsageError(
                f"{self._folder}: pictures that stand alone serve the intra stage only, not clips of {request.frames}"
            )
        path = self._paths[index]
        with reopen_video(path, request.working_format) as reader:
            clip = stack_pictures([next(iter(reader)).planes], request.working_format)
        try:
            return mirror_at_random(crop_at_random(clip, request, generator), request, generator)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
