"""Videos that workers read themselves."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from scaleflow.codec.encoding.region_masks import note_places
from scaleflow.codec.encoding.request import VideoSource
from scaleflow.codec.encoding.shared_source import SharedSource, picture_checksum
from scaleflow.codec.picture import Picture
from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError, UsageError


def pictures(path: Path) -> list[Picture]:
    with open_video(path) as reader:
        return [item for item in note_places(reader.items(), reader.properties) if isinstance(item, Picture)]


@pytest.mark.parametrize("clip", ["with_audio", "uneven"])
@pytest.mark.parametrize("first", [0, 7, 30])
def test_pictures_from_anywhere(clip: str, first: int, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(clip)
    wanted = pictures(path)[first : first + 6]
    place = wanted[0].place
    assert place is not None and place.number == first
    shared = SharedSource.of(VideoSource(path), "yuv420", 1)
    found = shared.read(place, [picture_checksum(picture.planes) for picture in wanted])
    assert all(
        np.array_equal(a, b)
        for one, two in zip(found, wanted, strict=True)
        for a, b in zip(one, two.planes, strict=True)
    )


def test_times_that_are_wrong_are_counted_out(with_audio: Path) -> None:
    """Where seeking leads to other pictures, they are found from the beginning."""
    wanted = pictures(with_audio)[20:24]
    place = wanted[0].place
    assert place is not None
    shared = SharedSource.of(VideoSource(with_audio), "yuv420", 1)
    elsewhere = type(place)(place.number, place.seconds, place.pts + 999)
    assert len(shared.read(elsewhere, [picture_checksum(picture.planes) for picture in wanted])) == 4


def test_a_source_that_changed_is_told(with_audio: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(with_audio.read_bytes())
    wanted = pictures(path)[10:12]
    place = wanted[0].place
    assert place is not None
    shared = SharedSource.of(VideoSource(path), "yuv420", 1)
    shared.check()
    with pytest.raises(DataError, match=r"clip.mp4: has changed while it was encoded: its pictures from 0\.400 s on"):
        shared.read(place, [1, 2])
    path.write_bytes(b"something else")
    with pytest.raises(UsageError, match=r"sees another file as .*clip.mp4, of 14 bytes, not \d+"):
        shared.check()
    path.unlink()
    with pytest.raises(UsageError, match=r"does not see .*clip.mp4"):
        shared.check()


def test_what_cannot_be_sought_is_refused(tmp_path: Path, with_audio: Path) -> None:
    for source, message in (("-", "is not a file"), (tmp_path, "is not a file"), (with_audio, "is not sought by time")):
        rate = list(islice([25], source == with_audio))
        with pytest.raises(UsageError, match=message):
            SharedSource.of(VideoSource(source, frame_rate=rate[0] if rate else None), "yuv420", 1)
