"""From packets to pictures, over damage: other pictures stand in for what is lost, and it is reported."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from scaleflow.codec.container import AudioPacket, DamagedRegion, Item, SfvHeader, VideoPacket
from scaleflow.codec.container.timing import FrameClock
from scaleflow.codec.decoding.concealment import LONGEST_HOLE, conceal
from scaleflow.codec.frame_coder import FrameDecoder
from scaleflow.codec.models.picture_change import PictureChange
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Planes
from scaleflow.errors import DataError
from scaleflow.limits import DEFAULT_MAX_PIXELS, DEFAULT_MAX_STAND_INS, check_picture_size


@dataclass(frozen=True)
class DecodedPicture:
    """A picture to show; ``repeated`` when it stands in for one that was lost.

    ``change`` says where it can differ from the one before, if that was asked for; None where nothing is known, as of
    key pictures and of stand-ins.
    """

    planes: Planes
    pts: int
    frame_number: int
    repeated: bool = False
    change: PictureChange | None = None


@dataclass(frozen=True)
class Damage:
    """Where a stream cannot be used. ``time`` is in seconds, from the stream's time 0."""

    offset: int
    reason: str
    frame_number: int
    time: float | None

    def __str__(self) -> str:
        when = "" if self.time is None else f", {self.time:.3f} s"
        return f"damage at byte {self.offset} (picture {self.frame_number}{when}): {self.reason}"


@dataclass(frozen=True)
class Loss:
    """Pictures ``first`` to ``last`` could not be decoded; sent when it is known where they end."""

    first: int
    last: int

    @property
    def count(self) -> int:
        """Pictures lost."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        what = f"picture {self.first} is" if self.count == 1 else f"pictures {self.first} to {self.last} are"
        return f"{what} lost"


Event = DecodedPicture | AudioPacket | Damage | Loss


class StreamDecoder:
    """Decodes the items of an :class:`scaleflow.codec.container.SfvReader`, one pass.

    Pictures come with rising times. Where pictures are lost and their number is known, others stand in for them at the
    times at which they were expected, once the next good one is there: they lie between the last good one and the next,
    see :func:`scaleflow.codec.decoding.concealment.conceal`. The last good one is repeated where no other follows, or
    where too many are lost; before the first good one there is nothing to show.

    Numbers may be anyone's invention. A lost picture took a byte at least, and what is lost without a trace is seldom
    more than what is there: all stand-ins together are no more than ``max_stand_ins``, the damaged bytes and the
    pictures that were decoded so far. What is beyond is a :class:`Loss` alone.
    """

    def __init__(
        self,
        header: SfvHeader,
        model: VideoModel,
        *,
        changes: bool = False,
        conceals: bool = True,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        max_stand_ins: int = DEFAULT_MAX_STAND_INS,
        decode: Callable[[VideoPacket], Planes] | None = None,
    ) -> None:
        """With ``changes``, pictures say where they changed; of the default model only. Without ``conceals``, the last
        good picture is repeated for all that are lost, which takes no time. ``decode`` gives the picture of a packet
        that follows those it was asked for, or raises :class:`DataError`, in place of a decoder here.

        Raises:
            DataError: the pictures are larger than ``max_pixels``.
        """
        video = header.video
        check_picture_size(video.width, video.height, max_pixels, "the stream")
        self._changes = changes
        self._most_stand_ins = max_stand_ins
        self._allowance = max_stand_ins
        self._decoder = FrameDecoder(model, width=video.width, height=video.height, bit_depth=video.bit_depth)
        self._decode_packet = decode or (
            lambda packet: self._decoder.decode(packet.payload, key=packet.kind == "intra")
        )
        self._clock = FrameClock(video)
        self._time_base = video.time_base
        self._shown: Planes | None = None
        self._shown_pts = 0
        self._next_number: int | None = None
        self._last_pts: int | None = None
        self._first_lost: int | None = None
        self._needs_key = False
        self._damaged_bytes = 0
        self._conceals = conceals
        self._is_frozen = False  # whether the last good picture stays until the next one
        self._bit_depth = video.bit_depth
        self._hole: deque[tuple[int, int]] = deque()  # times and numbers of stand-ins that wait for the next good one

    @property
    def is_holding(self) -> bool:
        """Whether stand-ins wait for the next good picture."""
        return bool(self._hole)

    def decode(self, items: Iterable[Item], *, from_picture: int | None = 0) -> Iterator[Event]:
        """Decode items; ``from_picture`` is the number of the first one, None where that is not known."""
        self._next_number = from_picture
        for item in items:
            if isinstance(item, VideoPacket):
                yield from self._decode_picture(item)
            elif isinstance(item, DamagedRegion):
                self._damaged_bytes += item.length
                self._allowance += item.length
                time = None if item.pts is None else float(item.pts * self._time_base)
                yield Damage(item.offset, item.reason, self._next_number or 0, time)
            elif item.timed and (item.pts is not None or item.dts is not None):
                yield item
        yield from self._fill_hole()
        yield from self._end_loss()

    def _decode_picture(self, packet: VideoPacket) -> Iterator[Event]:
        yield from self._fill_gap(packet)
        planes = change = None
        key = packet.kind == "intra"
        if packet.decodable and (key or not self._needs_key):
            try:
                if self._changes:
                    planes, change = self._decoder.decode_with_change(packet.payload, key=key)
                else:
                    planes = self._decode_packet(packet)
            except DataError as error:
                time = float(packet.pts * self._time_base)
                yield Damage(packet.offset, str(error), packet.frame_number, time)
        self._needs_key = planes is None
        self._next_number = packet.frame_number + 1
        self._damaged_bytes = 0
        if planes is None:
            self._note_lost(packet.frame_number)
            yield from self._repeat(packet.pts, packet.frame_number)
            return
        pts = self._rising(packet.pts)
        yield from self._fill_hole(planes, pts)
        yield from self._end_loss(packet.frame_number)
        self._shown, self._shown_pts, self._is_frozen = planes, pts, False
        self._allowance += 1
        yield DecodedPicture(planes, pts, packet.frame_number, change=change)

    def _fill_gap(self, packet: VideoPacket) -> Iterator[Event]:
        """Stand-ins for the pictures that are missing before ``packet``."""
        number = self._next_number
        if number is None or packet.frame_number <= number:
            return
        self._note_lost(number)
        count = packet.frame_number - number
        if count > min(self._most_stand_ins + self._damaged_bytes, self._allowance) or self._last_pts is None:
            return
        self._allowance -= count
        pts = self._last_pts
        for missing in range(number, packet.frame_number):
            pts = self._clock.after(pts, missing - 1)
            if pts >= packet.pts:
                return
            yield from self._repeat(pts, missing)

    def _repeat(self, pts: int, number: int) -> Iterator[Event]:
        if self._shown is not None and self._last_pts is not None and pts > self._last_pts:
            self._last_pts = pts
            self._hole.append((pts, number))
            self._is_frozen |= not self._conceals or len(self._hole) > LONGEST_HOLE
            if self._is_frozen:
                yield from self._fill_hole()

    def _fill_hole(self, following: Planes | None = None, pts: int = 0) -> Iterator[Event]:
        """The stand-ins that wait, where a good picture follows at a time ``pts``, or where none does."""
        if not self._hole or self._shown is None:
            return
        pictures: Iterable[Planes] = [self._shown] * len(self._hole)
        if following is not None:
            length = pts - self._shown_pts
            shares = [(time - self._shown_pts) / length for time, _ in self._hole]
            pictures = conceal(self._shown, following, shares, self._bit_depth)
        for planes in pictures:
            time, number = self._hole.popleft()
            yield DecodedPicture(planes, time, number, repeated=True)

    def _rising(self, pts: int) -> int:
        self._last_pts = pts if self._last_pts is None else max(pts, self._last_pts + 1)
        return self._last_pts

    def _note_lost(self, number: int) -> None:
        if self._first_lost is None:
            self._first_lost = number

    def _end_loss(self, number: int | None = None) -> Iterator[Event]:
        end = number if number is not None else self._next_number
        if self._first_lost is not None and end is not None and end > self._first_lost:
            yield Loss(self._first_lost, end - 1)
        self._first_lost = None
