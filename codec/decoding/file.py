"""From an ``.sfv`` file to a video."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from scaleflow.cluster import ClusterSettings, check_workers, open_workers
from scaleflow.codec.container import AudioPacket, DamagedRegion, Item, KeyFrame, SfvHeader, SfvReader, VideoPacket
from scaleflow.codec.decoding.group_decoding import DecodedGroup, GroupDecoder, GroupDecoding, PacketGroup
from scaleflow.codec.decoding.stream_decoder import Damage, DecodedPicture, Event, Loss, StreamDecoder
from scaleflow.codec.decoding.stream_model import check_weights
from scaleflow.codec.encoding.request import check_destination
from scaleflow.codec.models.capabilities import require_cpu
from scaleflow.codec.models.video_model import PictureGeometry, VideoModel
from scaleflow.codec.picture import Picture
from scaleflow.codec.video.audio import AudioPacketData
from scaleflow.codec.video.excerpt import LONGEST_INTERLEAVING, Excerpt, ExcerptClock, ExcerptCutter
from scaleflow.codec.video.picture_writer import is_picture_output
from scaleflow.codec.video.writer import open_output
from scaleflow.errors import DataError, UsageError
from scaleflow.limits import DEFAULT_MAX_PIXELS, DEFAULT_MAX_STAND_INS, check_limit, check_picture_size
from scaleflow.workers import WorkerReport, Workers

logger = logging.getLogger(__name__)

MOST_REPORTED = 100
"""Damaged places that are kept and logged; the rest are only counted."""


@dataclass(frozen=True)
class DecodeSettings:
    """One decode.

    Attributes:
        start, duration: seconds of the stream to decode, from its first picture on.
        frames: most pictures to decode.
        lossless, format: of the output, see :func:`scaleflow.codec.video.writer.open_output`.
        overwrite: replace an output that exists.
        max_pixels: largest picture, in samples of luma; a file of larger ones is refused before memory is taken.
        max_stand_ins: pictures that may stand in for lost ones of which there is no trace, see
            :class:`scaleflow.codec.decoding.stream_decoder.StreamDecoder`.
        workers: processes that decode groups of pictures side by side.
        cluster: decodes groups of pictures in their place, where it is given.
        worker_threads: threads of each worker; a single process decodes in this one as it is set up.

    Raises:
        UsageError: a value is out of range.

    Example:
        >>> import scaleflow
        >>> scaleflow.DecodeSettings(start=12.5, duration=3.0).frames is None
        True
    """

    start: float = 0.0
    duration: float | None = None
    frames: int | None = None
    lossless: bool = False
    format: str | None = None
    overwrite: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS
    max_stand_ins: int = DEFAULT_MAX_STAND_INS
    workers: int = 1
    cluster: ClusterSettings | None = None
    worker_threads: int = 1

    def __post_init__(self) -> None:
        check_limit("max_pixels", self.max_pixels)
        check_limit("max_stand_ins", self.max_stand_ins)
        if not (math.isfinite(self.start) and 0 <= self.start <= 1e9):
            raise UsageError(f"start {self.start:g} is outside 0..1e9 seconds", fields=("start",))
        if self.duration is not None and not 0 < self.duration <= 1e9:
            raise UsageError(f"duration {self.duration:g} is not above 0 and at most 1e9 seconds", fields=("duration",))
        if self.frames is not None and self.frames < 1:
            raise UsageError(f"frames {self.frames} is not at least 1", fields=("frames",))
        for name, value, most in (("workers", self.workers, 256), ("worker_threads", self.worker_threads, 1024)):
            if not 1 <= value <= most:
                raise UsageError(f"{name} {value} is outside 1..{most}", fields=(name,))
        check_workers(self.workers, self.cluster)
        if self.cluster is not None and self.cluster.shared_input:
            raise UsageError("shared_input is of encodes: packets are small", fields=("shared_input",))

    @property
    def decodes_groups_apart(self) -> bool:
        """Whether groups of pictures are decoded side by side."""
        return self.workers > 1 or self.cluster is not None


@dataclass(frozen=True)
class DecodeProgress:
    """Where a decode stands: pictures so far, bytes of the stream read of how many (None in a pipe), seconds spent;
    ``workers`` says who of a cluster does what."""

    pictures: int
    bytes_read: int
    bytes_total: int | None
    seconds: float
    workers: tuple[WorkerReport, ...] = ()


@dataclass
class DecodeSummary:
    """What was decoded. ``damage`` names the first hundred damaged places, ``damage_count`` counts all."""

    pictures: int = 0
    repeated: int = 0
    lost: int = 0
    damage_count: int = 0
    damage: list[Damage] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_sound(self) -> bool:
        """Whether nothing was damaged."""
        return not self.damage_count

    def note(self, event: Damage | Loss, name: str) -> None:
        """Count and log damage."""
        kept: list[Damage] | list[Loss] = self.damage if isinstance(event, Damage) else self.losses
        if isinstance(event, Damage):
            self.damage_count += 1
        else:
            self.lost += event.count
        if len(kept) < MOST_REPORTED:
            kept.append(event)  # type: ignore[arg-type]
            logger.warning("%s: %s", name, event)


def check_decode(source: str | os.PathLike[str], destination: str | os.PathLike[str], settings: DecodeSettings) -> None:
    """Refuse an output that exists, has no folder, or is the input, before anything is loaded.

    Raises:
        UsageError: says which, and the remedy.
    """
    if not is_picture_output(os.fspath(destination)):
        check_destination(source, destination, settings.overwrite)


def decode_file(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    choose_model: Callable[[SfvHeader], VideoModel],
    settings: DecodeSettings | None = None,
    *,
    progress: Callable[[DecodeProgress], None] | None = None,
) -> DecodeSummary:
    """Decode an ``.sfv`` file to a video.

    Damage does not end it: pictures between the good ones around stand in for what is lost, and the summary and the log
    say where.

    Args:
        source: an ``.sfv`` file; ``-`` is standard input.
        destination: a video of any form, see :func:`scaleflow.codec.video.writer.open_output`; ``-`` is standard
            output.
        choose_model: gives the model for a header, as :func:`scaleflow.codec.decoding.stream_model.load_stream_model`
            does.
        settings: which part, and the form of the output.
        progress: called after each picture.

    Raises:
        UsageError: the request cannot be carried out.
        DataError: not an ``.sfv`` file, no picture can be decoded, or the output cannot be written. Nothing is left.
    """
    settings = settings or DecodeSettings()
    check_decode(source, destination, settings)
    report = _Report(source, progress)
    excerpt = Excerpt(settings.start, settings.duration, settings.frames)
    with SfvReader(source) as reader, ExitStack() as stack:
        header = reader.header
        check_picture_size(header.video.width, header.video.height, settings.max_pixels, reader.name)
        model = choose_model(header)
        check_weights(header, model)
        far = None
        if settings.cluster is not None:
            require_cpu(model)
        if settings.decodes_groups_apart:
            video = header.video
            size = PictureGeometry(video.width, video.height, video.bit_depth)
            work = GroupDecoding(model, size, settings.worker_threads)
            workers: Workers[PacketGroup, DecodedGroup] = open_workers(work, settings.workers, settings.cluster)
            report.workers, far = workers, GroupDecoder(work, stack.enter_context(workers))
        decoder = StreamDecoder(
            header,
            model,
            max_pixels=settings.max_pixels,
            max_stand_ins=settings.max_stand_ins,
            decode=None if far is None else far.decode,
        )
        clock, cutter, events = _decode_excerpt(reader, decoder, excerpt, far)
        with open_output(
            destination,
            header.video,
            lossless=settings.lossless,
            format=settings.format,
            overwrite=settings.overwrite,
            audio=header.audio,
        ) as writer:
            for event in events:
                if isinstance(event, AudioPacket):
                    for packet in cutter.take_audio(_audio_data(event)):
                        writer.write_audio(packet)
                elif isinstance(event, DecodedPicture):
                    belongs, packets = cutter.take_picture(event.pts)
                    for packet in packets:
                        writer.write_audio(packet)
                    if belongs:
                        writer.write(Picture(event.planes, clock.shift_picture(event.pts)))
                        report.note(event, reader)
                else:
                    report.note(event, reader)
                if cutter.is_done and not decoder.is_holding:
                    break
            else:
                writer.last_duration = reader.last_duration if excerpt.duration is None else None
            for packet in cutter.finish():
                writer.write_audio(packet)
    return report.finish()


def verify_file(
    source: str | os.PathLike[str],
    choose_model: Callable[[SfvHeader], VideoModel],
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    progress: Callable[[DecodeProgress], None] | None = None,
) -> DecodeSummary:
    """Check the whole of an ``.sfv`` file and decode all its pictures, writing nothing.

    Raises:
        DataError: not an ``.sfv`` file, one without pictures, or with pictures larger than ``max_pixels``.
    """
    check_limit("max_pixels", max_pixels)
    report = _Report(source, progress)
    with SfvReader(source) as reader:
        header = reader.header
        check_picture_size(header.video.width, header.video.height, max_pixels, reader.name)
        model = choose_model(header)
        check_weights(header, model)
        for event in StreamDecoder(header, model, conceals=False, max_pixels=max_pixels).decode(reader):
            if not isinstance(event, AudioPacket):
                report.note(event, reader)
    summary = report.finish()
    if summary.is_sound and not summary.pictures:
        raise DataError(f"{reader.name}: holds no picture")
    return summary


class _Report:
    """Counts, logs and tells the progress of a decode."""

    def __init__(self, source: str | os.PathLike[str], progress: Callable[[DecodeProgress], None] | None) -> None:
        self.summary = DecodeSummary()
        self._progress = progress
        self._started = time.monotonic()
        self._size = os.path.getsize(source) if os.path.isfile(source) else None
        self.workers: Workers[Any, Any] | None = None

    def note(self, event: DecodedPicture | Damage | Loss, reader: SfvReader) -> None:
        """What has come out of the decoder."""
        if not isinstance(event, DecodedPicture):
            self.summary.note(event, reader.name)
            return
        self.summary.pictures += 1
        self.summary.repeated += event.repeated
        if self._progress is not None:
            seconds = time.monotonic() - self._started
            who = () if self.workers is None else self.workers.report()
            self._progress(DecodeProgress(self.summary.pictures, reader.position, self._size, seconds, who))

    def finish(self) -> DecodeSummary:
        """The summary, complete."""
        self.summary.seconds = time.monotonic() - self._started
        return self.summary


def _decode_excerpt(
    reader: SfvReader, decoder: StreamDecoder, excerpt: Excerpt, far: GroupDecoder | None = None
) -> tuple[ExcerptClock, ExcerptCutter, Iterator[Event]]:
    """The events of an excerpt and some around it, and what tells which belong to it.

    ``far`` reads ahead; what is left out because of what was shown by then is so only after it.
    """
    header = reader.header
    ahead = far.items if far is not None else iter
    if excerpt.is_all or not (excerpt.start or excerpt.duration is not None):
        clock = ExcerptClock(excerpt, header.video, header.audio, 0)
        cutter = ExcerptCutter(excerpt, clock, header.video, header.audio)
        return clock, cutter, decoder.decode(_before_end(ahead(reader), clock, cutter))
    if not reader.seekable:
        early = _until_first_picture(reader)
        first_pts = next((item.pts for item in early if isinstance(item, VideoPacket)), 0)
        clock = ExcerptClock(excerpt, header.video, header.audio, first_pts)
        cutter = ExcerptCutter(excerpt, clock, header.video, header.audio)
        return clock, cutter, decoder.decode(_before_end(ahead(chain(early, reader)), clock, cutter))
    if not len(reader.key_frames):
        raise DataError(f"{reader.name}: holds no key frame")
    clock = ExcerptClock(excerpt, header.video, header.audio, reader.key_frames[0].pts)
    cutter = ExcerptCutter(excerpt, clock, header.video, header.audio)
    # Audio may stand before pictures that are shown earlier.
    delay = round(LONGEST_INTERLEAVING / header.video.time_base) if header.audio else 0
    if clock.start_pts - delay > reader.key_frames[0].pts:
        reader.seek_to_key_frame(clock.start_pts - delay)  # Otherwise at the start, where audio may come first.
    key = reader.key_frames.at_or_before(clock.start_pts)
    items = _before_end(ahead(_from_key_frame(reader, key)), clock, cutter)
    return clock, cutter, decoder.decode(items, from_picture=key.frame_number)


def _until_first_picture(reader: SfvReader) -> list[Item]:
    items: list[Item] = []
    for item in reader:
        items.append(item)
        if isinstance(item, VideoPacket):
            break
    return items


def _from_key_frame(items: Iterable[Item], key: KeyFrame) -> Iterator[Item]:
    """Leave out pictures, and damage to them, before a key frame; audio stays."""
    for item in items:
        is_before = isinstance(item, VideoPacket) and item.frame_number < key.frame_number
        if not is_before and not (isinstance(item, DamagedRegion) and item.offset < key.offset):
            yield item


def _before_end(items: Iterable[Item], clock: ExcerptClock, cutter: ExcerptCutter) -> Iterator[Item]:
    """Leave out pictures after the end; go on a little for audio that belongs before it."""
    for item in items:
        is_behind = cutter.is_full or (
            clock.end_pts is not None and isinstance(item, VideoPacket) and item.pts >= clock.end_pts
        )
        if isinstance(item, VideoPacket) and is_behind:
            cutter.pass_picture(item.pts)
        else:
            yield item
        if cutter.is_done:
            return


def _audio_data(packet: AudioPacket) -> AudioPacketData:
    return AudioPacketData(
        packet.stream_index,
        packet.pts,
        packet.dts,
        packet.duration,
        bool(packet.flags & 1),
        packet.payload,
        packet.flags >> 1,
    )
