"""From a video to an ``.sfv`` file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from scaleflow.codec.encoding.rate_control import ConstantQuality, OnePassControl, QualityControl
from scaleflow.codec.encoding.region_masks import RegionPlaces
from scaleflow.codec.encoding.request import VideoSource, check_request
from scaleflow.codec.encoding.search import search_quality
from scaleflow.codec.encoding.session import EncodeProgress, EncodeSession
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.encoding.summary import EncodeSummary
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.errors import UsageError


def encode_file(
    source: VideoSource | str | os.PathLike[str],
    destination: str | os.PathLike[str],
    model: VideoModel,
    settings: EncodeSettings,
    *,
    progress: Callable[[EncodeProgress], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
    masks: RegionPlaces | None = None,
) -> EncodeSummary:
    """Encode a video to an ``.sfv`` file.

    Args:
        source: a video; ``-`` is standard input.
        destination: appears when it is complete; ``-`` is standard output.
        model: codes the pictures. With several workers it is copied to them by pickling.
        settings: what is asked for.
        progress: called after each picture.
        masks: of regions of interest, or what opens them for the source, or makes them of decoded pictures;
            ``settings.region`` says how they are coded.
        stop: asked before each picture; once it says True the file ends with the last complete group of pictures. A
            file that would be replaced stays as it was.

    Raises:
        UsageError: the request cannot be carried out.
        DataError: the source cannot be read, the output cannot be written, verification failed, or ``stop`` came before
            there was anything to keep. Nothing is left.
    """
    source = source if isinstance(source, VideoSource) else VideoSource(source)
    source = replace(source, max_pixels=settings.max_pixels)
    check_request(source, destination, settings)
    if settings.target_roi_psnr is not None and masks is None:
        raise UsageError(
            "target_roi_psnr is of a region of interest: give one with masks", fields=("target_roi_psnr", "masks")
        )
    if masks is not None and settings.region is None:
        raise UsageError(
            "masks are given, but not how what they mark is coded: set region of the settings",
            fields=("masks", "region"),
        )
    if masks is None and settings.region is not None:
        raise UsageError(
            "region says how regions of interest are coded, but no masks say where they are: give masks",
            fields=("region", "masks"),
        )
    if not model.variable_rate and settings.quality is None:
        raise UsageError(f"model {model.name} has one rate only: it cannot aim at a bitrate or a PSNR")
    started = time.monotonic()
    with ExitStack() as stack:
        session = stack.enter_context(
            EncodeSession(source, os.fspath(destination), model, settings, progress, stop, masks)
        )
        if settings.searches:
            result, passes = search_quality(session)
        else:
            control: QualityControl
            if settings.quality is not None:
                control = ConstantQuality(settings, settings.quality)
            else:
                control = OnePassControl(settings, session.properties, session.picture_count)
            result, passes = session.write_file(control, "encode"), 1
    return result.statistics.summary(
        file_bytes=result.file_bytes,
        passes=passes,
        seconds=time.monotonic() - started,
        interrupted=result.interrupted,
    )
