"""An ``.sfv`` file taken apart: which bits went where in each picture, and how it was predicted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from scaleflow.codec.container import DamagedRegion, SfvHeader, SfvReader, VideoPacket
from scaleflow.codec.decoding.stream_model import check_weights, load_stream_model
from scaleflow.codec.models.capabilities import require_analysis
from scaleflow.codec.models.picture_analysis import PictureAnalysis
from scaleflow.codec.models.video_model import PictureGeometry, Reference, VideoModel
from scaleflow.errors import DataError
from scaleflow.limits import DEFAULT_MAX_PIXELS, check_picture_size


def analyse_stream(
    source: str | os.PathLike[str], choose_model: Callable[[SfvHeader], VideoModel] = load_stream_model
) -> Iterator[PictureAnalysis]:
    """Decode a file picture by picture, saying of each where its bits went and what moved.

    Args:
        source: an ``.sfv`` file of the default model.
        choose_model: gives the model for a header.

    Raises:
        UsageError: the stream's model cannot be taken apart so.
        DataError: the file is damaged, named with the place.
    """
    with SfvReader(source) as reader:
        check_picture_size(reader.header.video.width, reader.header.video.height, DEFAULT_MAX_PIXELS, reader.name)
        model = choose_model(reader.header)
        check_weights(reader.header, model)
        analysing = require_analysis(model)
        video = reader.header.video
        geometry = PictureGeometry(video.width, video.height, video.bit_depth)
        reference: Reference | None = None
        for item in reader:
            if isinstance(item, DamagedRegion):
                raise DataError(f"{reader.name}: damage at byte {item.offset}: {item.reason}")
            if not isinstance(item, VideoPacket):
                continue
            key = item.kind == "intra"
            if not item.decodable or (reference is None and not key):
                raise DataError(f"{reader.name}: picture {item.frame_number} at byte {item.offset} cannot be decoded")
            reference, analysis = analysing.analyse_picture(item.payload, geometry, None if key else reference)
            yield analysis
