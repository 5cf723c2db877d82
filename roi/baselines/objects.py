"""Object-based coding: region and background as two streams of two qualities, put together by the decoder.

The idea of MPEG-4's video objects, with the default codec. In the region's stream all else is grey; in the
background's, what surrounds the region continues into it. (A region continued outwards would look better and cost half
as much again: the motion of smooth areas is vague.) The masks are those of cells of 16 samples, so that they cost
little, and are coded without loss by the coder of ScaleFlow's own maps.
"""

from __future__ import annotations

import io
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.container import SfvHeader, SfvReader, VideoPacket
from scaleflow.codec.decoding.stream_decoder import Damage, DecodedPicture, Event, Loss, StreamDecoder
from scaleflow.codec.decoding.stream_model import check_weights
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.region_masks import OpenMasks
from scaleflow.codec.encoding.request import VideoSource
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.quality import COARSEST_STEP, FINEST_STEP
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Picture, Planes, VideoProperties
from scaleflow.codec.video.writer import open_output
from scaleflow.errors import DataError, UsageError
from scaleflow.output_file import check_output
from scaleflow.quality_range import HIGHEST_QUALITY
from scaleflow.roi.baselines.filled_pictures import fill_unknown
from scaleflow.roi.baselines.masked_pictures import open_changed_copy, pictures_with_masks
from scaleflow.roi.baselines.object_file import STEPS, Levels, ObjectFile, decode_masks, encode_masks
from scaleflow.roi.baselines.region_cells import cells_of_mask, mask_of_cells

QUALITIES_PER_OCTAVE = HIGHEST_QUALITY / math.log2(COARSEST_STEP / FINEST_STEP)
"""By how much the quality is lower where quantization steps are twice as wide."""


def background_quality(quality: float, strength: float) -> float:
    """The quality at which quantization steps are ``strength`` times as wide as at ``quality``, at least 0."""
    return max(0.0, quality - QUALITIES_PER_OCTAVE * math.log2(strength))


def encode_objects(
    source: VideoSource,
    destination: Path,
    model: VideoModel,
    settings: EncodeSettings,
    masks: OpenMasks,
    strength: float,
) -> None:
    """Encode a video as two objects.

    Args:
        model: codes both streams.
        settings: of the region's stream, with a quality.
        strength: how many times wider quantization steps are outside, as of
            :class:`scaleflow.roi.coding.RegionSettings`.

    Raises:
        UsageError: the output exists, or the settings have no quality.
        DataError: the video or a mask cannot be read.
    """
    check_output(str(destination), settings.overwrite)
    if settings.quality is None:
        raise UsageError("object-based coding has a quality, no other goal", fields=("quality",))
    lower = replace(settings, quality=background_quality(settings.quality, strength))
    with tempfile.TemporaryDirectory() as folder:
        copies = [Path(folder) / f"{name}.y4m" for name in ("region", "background")]
        levels = _write_objects(source, masks, copies)
        streams = []
        for copy, chosen in zip(copies, (settings, lower), strict=True):
            encode_file(copy, copy.with_suffix(".sfv"), model, replace(chosen, overwrite=True))
            streams.append(copy.with_suffix(".sfv").read_bytes())
            copy.unlink()
    ObjectFile(streams[0], streams[1], encode_masks(levels)).write(destination, settings.overwrite)


def _write_objects(source: VideoSource, masks: OpenMasks, copies: list[Path]) -> list[Levels]:
    """Write the pictures of each object; returns the masks on cells."""
    found = []
    with ExitStack() as stack:
        reader = stack.enter_context(source.open("yuv420"))
        properties = reader.properties
        writers = [stack.enter_context(open_changed_copy(copy, properties)) for copy in copies]
        for picture, mask in pictures_with_masks(reader, masks):
            levels = (cells_of_mask(mask) * STEPS).round().astype(np.int32)
            size = picture.planes[0].shape
            shares = [mask_of_cells(_shares(levels), plane.shape, (size[0], size[1])) for plane in picture.planes]
            both = list(zip(picture.planes, shares, strict=True))
            grey = 1 << (properties.bit_depth - 1)
            region = tuple(np.where(share > 0, plane, plane.dtype.type(grey)) for plane, share in both)
            background = tuple(fill_unknown(plane, share < 1, properties.bit_depth) for plane, share in both)
            for writer, planes in zip(writers, (region, background), strict=True):
                writer.write(Picture(planes, picture.pts))
            found.append(levels)
    return found


def decode_objects(
    source: Path, destination: Path, choose_model: Callable[[SfvHeader], VideoModel], overwrite: bool = False
) -> None:
    """Decode what :func:`encode_objects` wrote.

    Args:
        destination: as of :func:`scaleflow.codec.video.writer.open_output`.
        choose_model: gives the model for the header that both streams have.

    Raises:
        UsageError: there is no such file, or the output exists.
        DataError: it is damaged.
    """
    with open_objects(source, choose_model) as (properties, pictures):
        with open_output(destination, properties, overwrite=overwrite) as writer:
            for picture in pictures:
                writer.write(picture)


@contextmanager
def open_objects(
    source: Path, choose_model: Callable[[SfvHeader], VideoModel]
) -> Iterator[tuple[VideoProperties, Iterator[Picture]]]:
    """What :func:`encode_objects` wrote: the video that it is, and its pictures put together.

    Raises:
        UsageError: there is no such file.
        DataError: it is damaged, here or while pictures are taken.
    """
    held = ObjectFile.read(source)
    with ExitStack() as stack:
        readers = [stack.enter_context(SfvReader(io.BytesIO(data))) for data in (held.region, held.background)]
        header = readers[0].header
        model = choose_model(header)
        check_weights(header, model)
        region, background = (_sound(source, StreamDecoder(reader.header, model).decode(reader)) for reader in readers)
        levels = decode_masks(held.masks, header.video.width, header.video.height)
        yield header.video, _joined(source, region, background, levels)


def _joined(
    name: Path, region: Iterator[DecodedPicture], background: Iterator[DecodedPicture], masks: Iterator[Levels]
) -> Iterator[Picture]:
    for inner, outer, levels in zip_longest(region, background, masks):
        if inner is None or outer is None or levels is None:
            raise DataError(f"{name}: its streams and masks are not of as many pictures")
        height, width = inner.planes[0].shape
        yield Picture(_mix(inner.planes, outer.planes, _shares(levels), (height, width)), inner.pts)


def _shares(levels: Levels) -> NDArray[np.float32]:
    return levels.astype(np.float32) / np.float32(STEPS)


def _mix(region: Planes, background: Planes, cells: NDArray[np.float32], size: tuple[int, int]) -> Planes:
    mixed = []
    for inner, outer in zip(region, background, strict=True):
        share = mask_of_cells(cells, inner.shape, size)
        both = share * inner.astype(np.float32) + (1 - share) * outer.astype(np.float32)
        mixed.append(both.round().astype(inner.dtype))
    return tuple(mixed)


def _sound(name: Path, events: Iterator[Event]) -> Iterator[DecodedPicture]:
    for event in events:
        if isinstance(event, Damage | Loss):
            raise DataError(f"{name}: {event}")
        if isinstance(event, DecodedPicture):
            yield event


def object_bits(source: Path) -> tuple[list[dict[str, int]], list[str]]:
    """Of each picture, bits by ``region``, ``background`` and ``masks``; and the kind of its region's packet.

    Raises as :meth:`ObjectFile.read`.
    """
    held = ObjectFile.read(source)
    packets: list[list[VideoPacket]] = []
    for data in (held.region, held.background):
        with SfvReader(io.BytesIO(data)) as reader:
            packets.append([item for item in reader if isinstance(item, VideoPacket)])
    bits = [
        {"region": 8 * len(region.payload), "background": 8 * len(background.payload), "masks": 8 * len(mask)}
        for region, background, mask in zip(*packets, held.masks, strict=True)
    ]
    return bits, [str(packet.kind) for packet in packets[0]]
