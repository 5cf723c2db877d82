"""Which pictures are coded as key frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from scaleflow.codec.encoding.scene_cut import SceneCutDetector
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.region_coding import RegionMask
from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.codec.video.audio import AudioPacketData


@dataclass(frozen=True)
class PlannedPicture:
    """A picture and how it is to be coded.

    ``since_key`` is the number of pictures since the last key frame, 0 of a key frame, ``until_key`` that to the next
    regular one, ``region`` a mask of what matters in it.
    """

    picture: Picture
    since_key: int
    until_key: int | None
    region: RegionMask | None = None

    @property
    def key(self) -> bool:
        """Whether it is coded as a key frame."""
        return not self.since_key


PlannedItem = PlannedPicture | AudioPacketData


class KeyFramePlanner:
    """Decides picture by picture: regular distances, cuts of the source, times asked for."""

    def __init__(self, properties: VideoProperties, settings: EncodeSettings) -> None:
        self._period = settings.intra_period
        self._detector = SceneCutDetector(properties.bit_depth) if settings.scene_cut else None
        self._key_times = sorted(settings.key_times)
        self._time_base = properties.time_base
        self._first_pts: int | None = None
        self._since_key = 0

    def plan(self, picture: Picture) -> PlannedPicture:
        """The decision for the next picture."""
        first = self._first_pts is None
        if self._first_pts is None:
            self._first_pts = picture.pts
        self._since_key += 1
        key = first or self._since_key == self._period
        # Every rule is asked each time: the detector compares with the picture before.
        key |= self._detector is not None and self._detector.is_cut(picture.planes[0])
        key |= self._passes_key_time(picture.pts - self._first_pts)
        if key:
            self._since_key = 0
        return PlannedPicture(picture, self._since_key, self._period - self._since_key if self._period else None)

    def _passes_key_time(self, ticks: int) -> bool:
        """Whether this is the first picture at or after a time asked for."""
        passed = False
        # A tick of tolerance: times that people write are rounded.
        while self._key_times and (ticks + 1) * self._time_base > self._key_times[0]:
            self._key_times.pop(0)
            passed = True
        return passed


def plan_key_frames(
    items: Iterable[Picture | AudioPacketData], properties: VideoProperties, settings: EncodeSettings
) -> Iterator[PlannedItem]:
    """Plan the pictures of a stream; audio packets pass through in their places."""
    planner = KeyFramePlanner(properties, settings)
    for item in items:
        yield planner.plan(item) if isinstance(item, Picture) else item
