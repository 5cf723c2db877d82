"""Coding groups of pictures side by side.

A group starts with a key frame, which resets all state, so that its bytes do not depend on where it is coded. Memory
is bounded by the groups that are in flight, see :class:`scaleflow.workers.InOrder`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from scaleflow.codec.encoding.key_frames import PlannedItem, PlannedPicture
from scaleflow.codec.encoding.picture_coder import CodedPicture, CoderSettings, PictureCoder
from scaleflow.codec.encoding.rate_control import QualityControl
from scaleflow.codec.encoding.shared_source import SharedSource, picture_checksum
from scaleflow.codec.models.region_coding import RegionMask
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Picture, Planes, SourcePlace, VideoProperties
from scaleflow.codec.video.audio import AudioPacketData
from scaleflow.workers import InOrder, Workers


@dataclass(frozen=True)
class PlannedCoding:
    """A picture, and how a worker is to code it. Without ``planes`` the worker reads those of ``checksum`` itself."""

    planes: Planes | None
    checksum: int
    pts: int
    key: bool
    quality: float
    region: RegionMask | None


@dataclass
class PictureGroup:
    """Pictures from a key frame on; ``number`` counts groups from 1, ``start`` is in seconds, for people; ``place`` is
    that of the first picture in its source, where workers read it."""

    number: int
    start: float = 0.0
    place: SourcePlace | None = None
    pictures: list[PlannedCoding] = field(default_factory=list)

    def __str__(self) -> str:
        return f"group {self.number} at {self.start:.3f} s"


@dataclass(frozen=True)
class GroupCoding:
    """Implements :class:`scaleflow.workers.Work`: codes groups; ``source`` is where their pictures are, if not in
    them."""

    model: VideoModel
    properties: VideoProperties
    settings: CoderSettings
    threads: int
    source: SharedSource | None = None

    def begin(self) -> None:
        """See :class:`scaleflow.workers.Work`."""
        torch.set_num_threads(self.threads)
        if self.source is not None:
            self.source.check()

    def do(self, task: PictureGroup) -> list[CodedPicture]:
        """The pictures of a group, coded."""
        coder = PictureCoder(self.model, self.properties, self.settings)
        return [
            coder.code(Picture(planes, item.pts), key=item.key, quality=item.quality, region=item.region)
            for planes, item in zip(self._planes(task), task.pictures, strict=True)
        ]

    def _planes(self, group: PictureGroup) -> Sequence[Planes]:
        sent = [item.planes for item in group.pictures if item.planes is not None]
        if self.source is None or group.place is None or sent:
            return sent
        return self.source.read(group.place, [item.checksum for item in group.pictures])


class GroupsInOrder:
    """A stream, coded by workers; pictures and audio come out in the order in which they went in.

    Where it is to stop, it ends after the last group that is complete and follows the one before; ``stopped`` then says
    so. Without ``sends`` the pictures stay here, and workers read them from the source.
    """

    def __init__(
        self,
        items: Iterable[PlannedItem],
        control: QualityControl,
        properties: VideoProperties,
        workers: Workers[PictureGroup, list[CodedPicture]],
        stop: Callable[[], bool],
        *,
        sends: bool = True,
    ) -> None:
        self._items, self._control, self._properties, self._sends = items, control, properties, sends
        self._layouts: deque[list[AudioPacketData | None]] = deque()
        self._results = InOrder(self._groups(), workers, stop)

    @property
    def stopped(self) -> bool:
        """Whether it ended because it was to stop."""
        return self._results.stopped

    def __iter__(self) -> Iterator[CodedPicture | AudioPacketData]:
        for coded in self._results:
            pictures = iter(coded or ())
            for place in self._layouts.popleft():
                yield next(pictures) if place is None else place

    def _groups(self) -> Iterator[PictureGroup | None]:
        """Groups, with what lies between their pictures put aside; None for audio of which no picture is near."""
        number = 1
        layout: list[AudioPacketData | None] = []
        group = PictureGroup(number)
        for item in self._items:
            if isinstance(item, AudioPacketData):
                layout.append(item)
                continue
            if item.key and group.pictures:
                self._layouts.append(layout)
                yield group
                number, layout, group = number + 1, [], PictureGroup(number + 1)
            if not group.pictures:
                group.start = float(item.picture.pts * self._properties.time_base)
                group.place = item.picture.place
            group.pictures.append(self._plan(item))
            layout.append(None)
        if layout:
            self._layouts.append(layout)
            yield group if group.pictures else None

    def _plan(self, item: PlannedPicture) -> PlannedCoding:
        picture = item.picture
        planes, checksum = (picture.planes, 0) if self._sends else (None, picture_checksum(picture.planes))
        return PlannedCoding(planes, checksum, picture.pts, item.key, self._control.choose(item), item.region)
