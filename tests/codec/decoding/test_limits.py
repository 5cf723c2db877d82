"""What a file may ask for: pictures of a size, stand-ins for lost pictures; both are known before memory is taken."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from scaleflow.codec.container import SfvHeader, SfvWriter
from scaleflow.codec.decoding.file import DecodeSettings, decode_file, verify_file
from scaleflow.codec.decoding.video_decoder import VideoDecoder
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import VideoProperties
from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError, ScaleFlowError, UsageError
from scaleflow.limits import DEFAULT_MAX_PIXELS
from tests.codec.stand_in import StandInModel

Encode = Callable[..., tuple[Path, object]]


def never(header: SfvHeader) -> VideoModel:
    raise AssertionError("the model was loaded before the size was looked at")


def header_alone(path: Path, width: int, height: int) -> Path:
    """A stream of some hundred bytes that declares large pictures."""
    video = VideoProperties(width, height, "yuv420p", 8, Fraction(25), Fraction(1, 25))
    with SfvWriter(path, SfvHeader("stand-in", "ab" * 32, video)) as writer:
        writer.write_video(b"\0", "intra", 0)
    return path


def with_holes(path: Path, source: Path, hole: int) -> int:
    """Copies the key frames of a stream, counting ``hole`` pictures between two that are not there; gives how many."""
    from scaleflow.codec.container import SfvReader, VideoPacket

    with SfvReader(source) as reader:
        keys = [item for item in reader if isinstance(item, VideoPacket) and item.kind == "intra"]
        with SfvWriter(path, reader.header, overwrite=True) as writer:
            for number, key in enumerate(keys):
                writer.write_video(key.payload, "intra", number * (hole + 1))
                writer._frame_count += hole if number < len(keys) - 1 else 0
    return len(keys)


@pytest.mark.parametrize(("width", "height"), [(16384, 16384), (8192, 8193), (16384, 4097)])
def test_larger_pictures_are_refused_before_the_model_is_loaded(tmp_path: Path, width: int, height: int) -> None:
    path = header_alone(tmp_path / "large.sfv", width, height)
    assert path.stat().st_size < 300
    with pytest.raises(DataError, match=rf"{width}x{height} are more than max_pixels {DEFAULT_MAX_PIXELS}") as caught:
        decode_file(path, tmp_path / "out.y4m", never)
    assert caught.value.fields == ("max_pixels",)
    with pytest.raises(DataError, match="max_pixels"):
        verify_file(path, never)
    with pytest.raises(DataError, match="max_pixels"):
        VideoDecoder(path, model=StandInModel())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["large.sfv"]


@pytest.mark.parametrize(("width", "height"), [(16384, 1), (1, 16384), (8192, 8192)])
def test_the_limit_is_of_samples_not_of_sides(tmp_path: Path, width: int, height: int) -> None:
    path = header_alone(tmp_path / "long.sfv", width, height)
    with pytest.raises(AssertionError, match="the model was loaded"):
        decode_file(path, tmp_path / "out.y4m", never)


def test_the_limit_can_be_set(encode: Encode, carphone: Path, model: StandInModel, tmp_path: Path) -> None:
    coded, _ = encode(carphone, frames=2)
    least = 88 * 72
    for allowed in (least, least - 1):
        tries: list[Callable[[], object]] = [
            lambda allowed=allowed: decode_file(
                coded, tmp_path / "a.y4m", lambda header: model, DecodeSettings(max_pixels=allowed, overwrite=True)
            ),
            lambda allowed=allowed: verify_file(coded, lambda header: model, max_pixels=allowed),
            lambda allowed=allowed: list(VideoDecoder(coded, model=model, max_pixels=allowed)),
            lambda allowed=allowed: encode_file(
                carphone, tmp_path / "b.sfv", model,
                EncodeSettings(quality=9, frames=2, max_pixels=allowed, overwrite=True),
            ),
        ]  # fmt: skip
        for attempt in tries:
            if allowed == least:
                attempt()
            else:
                with pytest.raises(DataError, match=f"more than max_pixels {allowed}"):
                    attempt()
    for wrong in (lambda: DecodeSettings(max_pixels=0), lambda: EncodeSettings(quality=1, max_pixels=-1)):
        with pytest.raises(UsageError, match="max_pixels") as caught:
            wrong()
        assert caught.value.fields == ("max_pixels",)


def test_stand_ins_are_no_more_than_the_file_explains(
    encode: Encode, carphone: Path, model: StandInModel, tmp_path: Path
) -> None:
    coded, _ = encode(carphone, intra_period=8)
    path = tmp_path / "holes.sfv"
    for hole, limit, stand_ins in ((999, 1000, 999), (100, 1000, 1000), (5, 20, 20), (5, 0, 0), (1001, 1000, 0)):
        keys = with_holes(path, coded, hole)
        summary = decode_file(
            path, tmp_path / "a.mkv", lambda header: model, DecodeSettings(max_stand_ins=limit, overwrite=True)
        )
        # Each good picture explains another one.
        assert stand_ins <= summary.repeated <= min(limit + keys, hole * (keys - 1)) or summary.repeated == stand_ins
        assert summary.pictures == keys + summary.repeated and summary.lost == hole * (keys - 1)
        assert not summary.is_sound


def png(path: Path, width: int, height: int) -> Path:
    """A black picture whose file is a thousandth of its samples."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    packer, row = zlib.compressobj(9), bytes(width + 1)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = width.to_bytes(4) + height.to_bytes(4) + bytes((8, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("place", ["picture", "folder", "video"])
def test_inputs_are_limited_where_ffmpeg_opens_them(tmp_path: Path, place: str, ffmpeg: Callable[..., None]) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    source = png(folder / "a.png", 640, 480)
    if place == "video":
        source = tmp_path / "a.mkv"
        ffmpeg("-i", folder / "a.png", "-c:v", "ffv1", source)
    name = folder if place == "folder" else source
    with open_video(name, max_pixels=640 * 480) as reader:
        assert (reader.properties.width, reader.properties.height) == (640, 480)
    with pytest.raises(DataError, match=f"max_pixels {640 * 480 - 1}") as caught:
        open_video(name, max_pixels=640 * 480 - 1)
    assert caught.value.fields == ("max_pixels",)


@pytest.mark.parametrize(
    "header", ["W99999999 H99999999", "W-5 H7", "W0 H0", "W16384 H16384", "W2147483647 H1", "W9" + "9" * 300 + " H1"]
)
def test_headers_of_y4m(tmp_path: Path, header: str) -> None:
    path = tmp_path / "a.y4m"
    path.write_bytes(f"YUV4MPEG2 {header} F25:1 C420jpeg\nFRAME\n".encode() + bytes(1000))
    with pytest.raises(ScaleFlowError):
        open_video(path)
