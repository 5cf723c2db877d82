"""Passes over one source: each reads it, codes it with some control of the quality, and counts or writes."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from scaleflow.cluster import open_workers
from scaleflow.codec.container import SfvHeader, SfvWriter
from scaleflow.codec.encoding.group_coding import GroupCoding, GroupsInOrder, PictureGroup
from scaleflow.codec.encoding.key_frames import PlannedItem, plan_key_frames
from scaleflow.codec.encoding.picture_coder import CodedPicture, CoderSettings, PictureCoder
from scaleflow.codec.encoding.rate_control import QualityControl
from scaleflow.codec.encoding.region_masks import InLoopMasks, MaskSource, RegionMasks, RegionPlaces, note_places
from scaleflow.codec.encoding.request import PIPE, VideoSource
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.encoding.shared_source import SharedSource
from scaleflow.codec.encoding.stream_sink import CountingSink, FileSink
from scaleflow.codec.encoding.summary import PassStatistics
from scaleflow.codec.models.capabilities import features_of, require_cpu, require_refinement
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Picture
from scaleflow.codec.video.audio import AudioPacketData
from scaleflow.codec.video.excerpt import Excerpt, cut_excerpt
from scaleflow.codec.video.reader import VideoReader
from scaleflow.errors import DataError
from scaleflow.output_file import is_special, open_output_file
from scaleflow.version import scaleflow_version
from scaleflow.workers import WorkerReport, Workers


@dataclass(frozen=True)
class EncodeProgress:
    """Where an encode stands.

    ``stage`` names the pass, ``total`` is an estimate of its pictures, ``file_bits`` and ``seconds`` are of this pass,
    ``quality`` is that of the last picture, ``workers`` says who of a cluster does what.
    """

    stage: str
    pictures: int
    total: int | None
    file_bits: float
    seconds: float
    quality: float
    workers: tuple[WorkerReport, ...] = ()


@dataclass(frozen=True)
class WrittenFile:
    """A pass over the whole source; ``kept`` says whether its file is there."""

    statistics: PassStatistics
    file_bytes: int
    interrupted: bool
    kept: bool


class EncodeSession:
    """One source, one destination, one model; a context manager that ends its workers and closes the source.

    The source is opened at once; the first pass takes what is open, others open it again.
    """

    def __init__(
        self,
        source: VideoSource,
        destination: str,
        model: VideoModel,
        settings: EncodeSettings,
        progress: Callable[[EncodeProgress], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
        masks: RegionPlaces | None = None,
    ) -> None:
        self.settings = settings
        self.stop = stop
        self._source, self._destination, self._model, self._progress = source, destination, model, progress
        if settings.refinement is not None:
            require_refinement(model)
        self._coder_settings = CoderSettings(
            verify=settings.verify,
            measure=settings.measure or settings.wanted_psnr is not None,
            region_coding=None if settings.region is None else settings.region.coding_for(model),
            refinement=settings.refinement,
            in_loop_masks=masks if isinstance(masks, InLoopMasks) else None,
        )
        self._excerpt = Excerpt(settings.start, settings.duration, settings.frames)
        self._reader: VideoReader | None = source.open(model.working_format)
        self.properties = self._reader.properties
        self.picture_count = self._excerpt.picture_count(self._reader.frame_count, self.properties.frame_rate)
        """Pictures to encode, an estimate; None where it cannot be known."""
        self._masks: RegionMasks | None = None
        if masks is not None and not isinstance(masks, InLoopMasks):
            opened = masks if isinstance(masks, MaskSource) else masks(self.properties, self._reader.frame_count)
            self._masks = RegionMasks(opened)
        self._header = SfvHeader(
            model=model.name,
            weights_hash=model.weights_hash,
            video=self.properties,
            precision=model.precision,
            intra_period=settings.intra_period,
            audio=self._reader.audio_streams,
            software=f"scaleflow {scaleflow_version()}",
            features=features_of(model),
        )
        self._stopped = False
        self._last_duration: int | None = None
        self._damage: tuple[str, ...] = ()
        self._workers: Workers[PictureGroup, list[CodedPicture]] | None = None
        self._shared: SharedSource | None = None
        if settings.cluster is not None:
            require_cpu(model)
            if settings.cluster.shared_input:
                self._shared = SharedSource.of(source, model.working_format, settings.worker_threads)
        if settings.codes_groups_apart:
            work = GroupCoding(model, self.properties, self._coder_settings, settings.worker_threads, self._shared)
            self._workers = open_workers(work, settings.workers, settings.cluster)

    def planned_items(self) -> Iterator[PlannedItem]:
        """Read the source: pictures with the decision on key frames, and audio packets."""
        reader, self._reader = self._reader, None
        with reader or self._source.open(self._model.working_format) as opened:
            items: Iterable[Picture | AudioPacketData] = opened.items()
            if self._masks is not None or self._shared is not None:
                items = note_places(items, self.properties)
            items = cut_excerpt(items, self._excerpt, self.properties, opened.audio_streams)
            planned = plan_key_frames(items, self.properties, self.settings)
            yield from planned if self._masks is None else self._masks.attach(planned)
            self._last_duration = opened.last_duration if self._excerpt.duration is None else None
            self._damage = opened.damage.sentences()

    def code(
        self,
        items: Iterable[PlannedItem],
        control: QualityControl,
        sink: CountingSink,
        stage: str,
        total: int | None = None,
    ) -> None:
        """Code a stream into ``sink``, until it ends or it is to stop."""
        started = time.monotonic()
        for coded in self._coded(items, control, sink):
            statistics = sink.statistics
            if isinstance(coded, AudioPacketData):
                sink.write_audio(coded)
                continue
            sink.write(coded)
            if self._progress is not None:
                seconds = time.monotonic() - started
                who = () if self._workers is None else self._workers.report()
                self._progress(
                    EncodeProgress(stage, statistics.pictures, total, sink.file_bits, seconds, coded.quality, who)
                )

    def _coded(
        self, items: Iterable[PlannedItem], control: QualityControl, sink: CountingSink
    ) -> Iterator[CodedPicture | AudioPacketData]:
        if self._workers is not None:
            groups = GroupsInOrder(
                items, control, self.properties, self._workers, self.stop, sends=self._shared is None
            )
            yield from groups
            self._stopped = groups.stopped
            return
        coder = PictureCoder(self._model, self.properties, self._coder_settings)
        for item in items:
            if isinstance(item, AudioPacketData):
                yield item
                continue
            if self.stop():
                self._stopped = True
                return
            quality = control.choose(item)
            coded = coder.code(item.picture, key=item.key, quality=quality, region=item.region)
            while (better := control.reconsider(item, quality, 8 * len(coded.payload))) is not None:
                quality = better
                coded = coder.code(item.picture, key=item.key, quality=quality, region=item.region)
            yield coded
            control.observe(item, quality, 8 * len(coded.payload), sink.file_bits)
        self._stopped = self.stop()  # A pipe may have ended because its other end was stopped as well.

    def write_file(
        self,
        control: QualityControl,
        stage: str,
        accept: Callable[[PassStatistics, float], bool] = lambda statistics, file_bits: True,
    ) -> WrittenFile:
        """Code the whole source into the destination.

        ``accept`` is given the pass and the bits of its file. Where it says no, what was written is removed again.

        Raises:
            DataError: reading or writing failed, verification failed, there is no picture, or coding was to stop and
                there is a file to replace. Nothing is left.
        """
        in_place = self._destination == PIPE or is_special(Path(self._destination))
        replaces = not in_place and Path(self._destination).exists()
        spool = cast(BinaryIO, tempfile.TemporaryFile()) if in_place and self.settings.searches else None
        writer = SfvWriter(spool or self._destination, self._header, overwrite=self.settings.overwrite)
        try:
            sink = FileSink(self.properties, writer)
            self.code(self.planned_items(), control, sink, stage, self.picture_count)
            if not sink.statistics.pictures:
                raise DataError(f"{self._source.path}: {self._why_empty()}")
            if self.interrupted and replaces:
                raise DataError(f"interrupted: {self._destination} stays as it was")
            if self.interrupted and self._workers is None and sink.group_length != self.settings.intra_period:
                sink.drop_last_group()
            if not self.interrupted:
                sink.end_with(self._last_duration)
                sink.statistics.damage = self._damage
            kept = accept(sink.statistics, sink.file_bits) or self.interrupted
            if kept:
                writer.close()
                if spool is not None:
                    self._deliver(spool)
            else:
                writer.abort()
        except BaseException:
            writer.abort()
            raise
        return WrittenFile(sink.statistics, writer.size, self.interrupted, kept)

    @property
    def interrupted(self) -> bool:
        """Whether coding stopped before the end of the source because that was asked for."""
        return self._stopped

    def _deliver(self, spool: BinaryIO) -> None:
        """Copy a file that had to be complete before it could be judged to where it belongs."""
        spool.seek(0)
        target = open_output_file(self._destination, overwrite=True)
        try:
            shutil.copyfileobj(spool, target)
            target.commit()
        except BaseException:
            target.abort()
            raise

    def _why_empty(self) -> str:
        if self.interrupted:
            return "interrupted before the first picture was coded"
        return f"has no picture from {self.settings.start:g} s on" if self.settings.start else "holds no picture"

    def __enter__(self) -> EncodeSession:
        if self._workers is not None:
            try:
                self._workers.__enter__()
            except BaseException:
                self._close_source()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._workers is not None:
            self._workers.__exit__(kind, error, trace)
        self._close_source()

    def _close_source(self) -> None:
        if self._reader is not None:
            self._reader.close()
