"""Which picture of a decoded video belongs to which of the original: by time, never by position.

Times count from the first picture of each file, so that files may begin at different times and have different time
bases. Two pictures belong together where their times differ by less than half a frame duration; the duration is the
shortest of those around them, so that a gap in one file does not let a picture match its neighbour. Everything else,
a picture that only one of the files has first of all, is an error: a comparison that goes on after it would measure
motion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

from scaleflow.codec.video.reader import SourcePicture, VideoReader
from scaleflow.errors import DataError

Item = TypeVar("Item")


@dataclass(frozen=True)
class Timed(Generic[Item]):
    """Something shown at ``time``, in seconds from the first of its file."""

    time: Fraction
    item: Item


@dataclass(frozen=True)
class MatchedFile(Generic[Item]):
    """One side of a matching.

    Attributes:
        name: for messages.
        frame_rate: pictures a second.
        pictures: in order.
        has_times: whether the file says itself when its pictures are shown.
    """

    name: str
    frame_rate: Fraction
    pictures: Iterable[Timed[Item]]
    has_times: bool = True

    def __post_init__(self) -> None:
        if self.frame_rate <= 0:
            raise DataError(f"{self.name}: frame rate {self.frame_rate} must be positive")


def timed_pictures(reader: VideoReader) -> Iterator[Timed[SourcePicture]]:
    """The pictures of a video as it holds them, with their times.

    Raises:
        DataError: reading fails, the pictures change size, or one is damaged.
    """
    first: int | None = None
    time_base = reader.properties.time_base
    for number, picture in enumerate(reader.samples()):
        first = picture.pts if first is None else first
        time = (picture.pts - first) * time_base
        if picture.is_corrupt:
            raise DataError(
                f"{reader.name}: picture {number}, at {float(time):.3f} s, is damaged; what the decoder made up in its "
                "place is not measured"
            )
        yield Timed(time, picture)


def match_by_time(
    original: MatchedFile[Item], decoded: MatchedFile[Item], frames: int | None = None
) -> Iterator[tuple[Timed[Item], Timed[Item]]]:
    """Pairs of pictures, while both files are read side by side.

    Args:
        original, decoded: their pictures' times rise from 0.
        frames: most pairs to make; what comes after them is not looked at.

    Raises:
        DataError: a picture is in one file only; names it by number and time.
    """
    ours, theirs = _with_durations(original), _with_durations(decoded)
    count = 0
    while frames is None or count < frames:
        first, second = next(ours, None), next(theirs, None)
        if first is None or second is None:
            if first is not None:
                raise DataError(_ends_early(decoded.name, count, first[0].time, original.name))
            if second is not None:
                raise DataError(_ends_early(original.name, count, second[0].time, decoded.name))
            return
        (picture, duration), (counterpart, other_duration) = first, second
        if 2 * abs(picture.time - counterpart.time) >= min(duration, other_duration):
            message = _mismatch(original, decoded, count, picture.time, counterpart.time)
            raise DataError(message, fields=("frame_rate",))
        yield picture, counterpart
        count += 1


def _with_durations(file: MatchedFile[Item]) -> Iterator[tuple[Timed[Item], Fraction]]:
    """Each picture with the shorter of its distances to the ones before and after it."""
    before: Fraction | None = None
    current: Timed[Item] | None = None
    for following in file.pictures:
        if current is not None:
            after = following.time - current.time
            yield current, after if before is None else min(before, after)
            before = after
        current = following
    if current is not None:
        yield current, 1 / file.frame_rate if before is None else before


def _ends_early(name: str, count: int, time: Fraction, other: str) -> str:
    return (
        f"{name}: ends after {count} pictures, while {other} goes on with picture {count} at {float(time):.3f} s; "
        "files of different lengths are not compared (a picture missing at the start shows in this way too)"
    )


def _mismatch(
    original: MatchedFile[Item], decoded: MatchedFile[Item], number: int, time: Fraction, other_time: Fraction
) -> str:
    if other_time > time:
        text = (
            f"{decoded.name}: lacks picture {number} of {original.name}, at {float(time):.3f} s; "
            f"its next is at {float(other_time):.3f} s"
        )
    else:
        text = (
            f"{decoded.name}: picture {number}, at {float(other_time):.3f} s, is not in {original.name}, "
            f"whose next is at {float(time):.3f} s"
        )
    for side in (original, decoded):
        if not side.has_times:
            text += f" ({side.name} is taken to have {float(side.frame_rate):.6g} pictures/s; frame_rate changes that)"
    return text
