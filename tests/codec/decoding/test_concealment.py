"""Pictures in place of lost ones."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from benchmarks.conformance_pictures import moving
from scaleflow.codec.container import DamagedRegion, SfvHeader, SfvReader, VideoPacket
from scaleflow.codec.decoding.concealment import LONGEST_HOLE, conceal
from scaleflow.codec.decoding.file import DecodeSettings, DecodeSummary, decode_file
from scaleflow.codec.decoding.stream_decoder import DecodedPicture, Loss, StreamDecoder
from scaleflow.codec.distortion import plane_psnr
from scaleflow.codec.encoding.scene_cut import is_other_scene
from scaleflow.codec.picture import Planes, VideoProperties
from tests.codec.stand_in import StandInModel

Encode = Callable[..., tuple[Path, object]]


def quality(first: Planes, second: Planes, bit_depth: int = 8) -> float:
    """PSNR of luma in dB."""
    return plane_psnr(first[0], second[0], bit_depth)


def equal(first: Planes, second: Planes) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_motion_is_followed(bit_depth: int) -> None:
    """Far better than the picture before, and than a dissolve."""
    pictures = moving(160, 96, 9, bit_depth)
    before, after, between = pictures[0], pictures[8], pictures[1:8]
    shares = [number / 8 for number in range(1, 8)]
    made = list(conceal(before, after, shares, bit_depth))
    found = np.mean([quality(a, b, bit_depth) for a, b in zip(between, made, strict=True)])
    repeated = np.mean([quality(picture, before, bit_depth) for picture in between])
    dissolved = np.mean(
        [
            quality(
                picture,
                tuple(
                    np.rint((1 - share) * a.astype(float) + share * b).astype(a.dtype)
                    for a, b in zip(before, after, strict=True)
                ),
                bit_depth,
            )
            for picture, share in zip(between, shares, strict=True)
        ]
    )
    assert found > repeated + 3 and found > dissolved + 1


@pytest.mark.parametrize(("width", "height", "bit_depth"), [(1, 1, 8), (3, 50, 8), (67, 45, 10), (16, 16, 8)])
def test_any_size_and_depth(width: int, height: int, bit_depth: int) -> None:
    before, after = moving(width, height, 2, bit_depth)
    (made,) = conceal(before, after, [0.5], bit_depth)
    for plane, one, other in zip(made, before, after, strict=True):
        assert plane.shape == one.shape and plane.dtype == one.dtype
        assert plane.min() >= min(one.min(), other.min()) and plane.max() <= max(one.max(), other.max())


def test_a_still_picture_stays() -> None:
    (picture,) = moving(64, 48, 1)
    assert all(equal(made, picture) for made in conceal(picture, picture, [0.25, 0.5], 8))


def test_between_two_scenes_the_first_stays() -> None:
    first = moving(176, 144, 1)[0]
    blocks = np.random.default_rng(1).integers(0, 256, (9, 11)).repeat(16, 0).repeat(16, 1).astype(np.uint8)
    other = (blocks, *first[1:])
    assert is_other_scene(first[0], other[0])
    assert all(made is first for made in conceal(first, other, [0.1, 0.9], 8))
    assert not is_other_scene(first[0], moving(176, 144, 6)[5][0])
    assert not is_other_scene(first[0][:6, :6], other[0][:6, :6])  # too small to tell


class Shown(StandInModel):
    """Gives pictures of its own for payloads that are their numbers."""

    def __init__(self, pictures: list[Planes]) -> None:
        super().__init__()
        self.pictures = pictures

    def decode_picture(self, payload: bytes, geometry: object, reference: object) -> object:  # type: ignore[override]
        number, pictures = int(payload), self.pictures

        class Known:
            def planes(self) -> Planes:
                return pictures[number]

        return Known()


def shown(
    pictures: list[Planes], lost: range, count: int, conceals: bool = True, keys: tuple[int, ...] = (0,)
) -> list[DecodedPicture | Loss]:
    """What a decoder gives of ``count`` pictures, of which some are known to be lost; one follows as a key frame."""
    height, width = pictures[0][0].shape
    video = VideoProperties(width, height, "yuv420p", 8, Fraction(25), Fraction(1, 25))
    items: list[VideoPacket | DamagedRegion] = []
    for number in range(count):
        key = number in (*keys, lost.stop)
        payload = b"%d" % (number % len(pictures))
        items.append(VideoPacket("intra" if key else "inter", number, payload, number, number, number not in lost))
    items.insert(lost.start, DamagedRegion(lost.start, 1000, "damage", None, lost.start))
    decoder = StreamDecoder(SfvHeader("default", "ab" * 32, video), Shown(pictures), conceals=conceals)
    return [event for event in decoder.decode(items) if isinstance(event, DecodedPicture | Loss)]


def test_stand_ins_wait_for_the_next_good_picture() -> None:
    pictures = moving(96, 64, 10)
    events = shown(pictures, range(3, 7), 10)
    found = [event for event in events if isinstance(event, DecodedPicture)]
    assert [(picture.frame_number, picture.pts) for picture in found] == [(number, number) for number in range(10)]
    assert [picture.repeated for picture in found] == [3 <= number < 7 for number in range(10)]
    assert [event for event in events if isinstance(event, Loss)] == [Loss(3, 6)]
    wanted = list(conceal(pictures[2], pictures[7], [0.2, 0.4, 0.6, 0.8], 8))
    assert all(equal(picture.planes, planes) for picture, planes in zip(found[3:7], wanted, strict=True))


def test_without_concealment_or_without_an_end_the_last_good_one_is_repeated() -> None:
    pictures = moving(32, 32, 10)
    for events in (shown(pictures, range(3, 7), 10, conceals=False), shown(pictures, range(3, 10), 10)):
        stand_ins = [event for event in events if isinstance(event, DecodedPicture) and event.repeated]
        assert len(stand_ins) in (4, 7) and all(picture.planes is pictures[2] for picture in stand_ins)


def test_a_long_hole_holds_no_more_than_a_bounded_number() -> None:
    pictures = moving(16, 16, 5)
    end = LONGEST_HOLE + 10
    events = shown(pictures, range(1, end), end + 1)
    stand_ins = [event for event in events if isinstance(event, DecodedPicture) and event.repeated]
    assert [picture.frame_number for picture in stand_ins] == list(range(1, end))
    assert all(picture.planes is pictures[0] for picture in stand_ins)


@pytest.mark.parametrize("settings", [{"frames": 24}, {"duration": 1.2}, {"start": 0.5, "duration": 0.7}])
@pytest.mark.parametrize("clip", ["carphone", "with_audio"])
def test_an_excerpt_may_end_in_a_hole(
    clip: str, settings: dict[str, float], encode: Encode, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    coded, _ = encode(request.getfixturevalue(clip), intra_period=16, frames=64)
    with SfvReader(coded) as reader:
        packet = next(item for item in reader if isinstance(item, VideoPacket) and item.frame_number == 20)
    content = bytearray(coded.read_bytes())
    content[packet.offset + 100] ^= 0x40
    damaged = tmp_path / "damaged.sfv"
    damaged.write_bytes(content)

    def pictures(source: Path, name: str) -> DecodeSummary:
        return decode_file(source, tmp_path / name, lambda header: StandInModel(), DecodeSettings(**settings))  # type: ignore[arg-type]

    sound, mended = pictures(coded, "sound.mkv"), pictures(damaged, "mended.mkv")
    assert mended.pictures == sound.pictures and mended.repeated
