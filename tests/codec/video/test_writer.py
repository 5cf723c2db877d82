"""Writing: what was read comes back, in every form of output, or nothing is left behind."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.codec.video.audio import AudioStream
from scaleflow.codec.video.pixel_format import describe_pixel_format
from scaleflow.codec.video.plane_writer import y4m_header
from scaleflow.codec.video.raw_format import RawVideoFormat
from scaleflow.codec.video.reader import open_video
from scaleflow.codec.video.writer import open_output
from scaleflow.errors import DataError, UsageError
from tests.places import REPOSITORY

FULL_DEVICE = Path("/dev/full")


def properties_of(pixel_format: str = "yuv420p", **changes: Any) -> VideoProperties:
    values: dict[str, Any] = {"width": 64, "height": 48, "frame_rate": Fraction(25), "time_base": Fraction(1, 25)}
    depth = 8 if describe_pixel_format(pixel_format).bit_depth == 8 else 10
    return VideoProperties(**{**values, "pixel_format": pixel_format, "bit_depth": depth, **changes})


def pictures_for(properties: VideoProperties, count: int = 4, times: list[int] | None = None) -> list[Picture]:
    """Smooth random pictures in the working format of ``properties``."""
    random = np.random.default_rng(7)
    height, width = properties.height, properties.width
    shapes = [(height, width)] * 3
    if properties.working_format == "yuv420":
        shapes = [(height, width)] + [((height + 1) // 2, (width + 1) // 2)] * 2
    top = (1 << properties.bit_depth) - 1
    dtype = np.uint8 if properties.bit_depth == 8 else np.uint16
    pictures = []
    for number in range(count):
        planes = []
        for rows, columns in shapes:
            blocks = random.random((rows // 8 + 1, columns // 8 + 1)).repeat(8, 0).repeat(8, 1)[:rows, :columns]
            planes.append((blocks * top * 0.8 + top * 0.1).astype(dtype))
        pictures.append(Picture(tuple(planes), times[number] if times else number))
    return pictures


def write(path: Path | str, properties: VideoProperties, pictures: list[Picture], **options: Any) -> None:
    with open_output(path, properties, **options) as writer:
        for picture in pictures:
            writer.write(picture)


def largest_difference(first: list[Picture], second: list[Picture]) -> int:
    assert len(first) == len(second)
    return max(
        int(np.abs(a.astype(np.int64) - b).max())
        for one, other in zip(first, second, strict=True)
        for a, b in zip(one.planes, other.planes, strict=True)
    )


def psnr(first: list[Picture], second: list[Picture], top: int) -> float:
    errors = [
        np.mean((a.astype(np.float64) - b) ** 2)
        for one, other in zip(first, second, strict=True)
        for a, b in zip(one.planes, other.planes, strict=True)
    ]
    return float(10 * np.log10(top**2 / max(float(np.mean(errors)), 1e-10)))


LOSSLESS_FORMATS = [
    "yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "gray", "yuv420p9le", "yuv420p10le", "yuv422p10le",
    "yuv444p10le", "yuv420p12le", "yuv422p12le", "yuv444p16le", "gray10le", "gray12le",
]  # fmt: skip


@pytest.mark.parametrize("pixel_format", LOSSLESS_FORMATS)
@pytest.mark.parametrize(("width", "height"), [(101, 77), (64, 48)])
@pytest.mark.parametrize("extension", ["mkv", "y4m", "yuv"])
def test_working_pictures_come_back_in_the_source_format(
    tmp_path: Path, read_all: Any, pixel_format: str, width: int, height: int, extension: str
) -> None:
    properties = properties_of(pixel_format, width=width, height=height)
    pictures = pictures_for(properties, 2)
    if pixel_format.startswith("gray"):
        middle = np.full_like(pictures[0].planes[1], 1 << (properties.bit_depth - 1))
        pictures = [Picture((picture.planes[0], middle, middle), picture.pts) for picture in pictures]
    if pixel_format == "yuv420p9le":
        pictures = [Picture(tuple(plane & 0xFFFE for plane in p.planes), p.pts) for p in pictures]
    path = tmp_path / f"clip.{extension}"
    write(path, properties, pictures, lossless=extension == "mkv")
    form = RawVideoFormat(width, height, Fraction(25), pixel_format)
    reader, again, _ = read_all(path, raw=form if extension == "yuv" else None)
    assert (reader.properties.pixel_format == pixel_format) or (extension, pixel_format) in {
        ("y4m", "yuv440p"),
        ("y4m", "yuv444p16le"),
    }
    # 4:2:2 and 4:4:4 are made by interpolation and rounded; reading filters that away but for the rounding.
    subsampled_alike = pixel_format.startswith(("yuv420", "gray", "yuv411"))
    exact = subsampled_alike and pixel_format != "yuv411p"
    assert largest_difference(pictures, again) <= (0 if exact else 1 if pixel_format != "yuv411p" else 255)


@pytest.mark.parametrize("pixel_format", ["rgb24", "gbrp10le", "rgb48be"])
def test_rgb_sources_come_back_as_rgb(tmp_path: Path, read_all: Any, pixel_format: str) -> None:
    properties = properties_of(pixel_format, bit_depth=8, working_format="rgb")
    pictures = pictures_for(properties)
    path = tmp_path / "clip.mkv"
    write(path, properties, pictures, lossless=True)
    reader, again, _ = read_all(path, working_format="rgb")
    assert describe_pixel_format(reader.properties.pixel_format).family == "rgb"
    assert largest_difference(pictures, again) == 0


@pytest.mark.parametrize("extension", ["mp4", "mkv", "mov", "webm"])
@pytest.mark.parametrize("name", ["flower_cc0.mp4", "foreman_cif_intra.264"])
def test_default_output_is_nearly_lossless(
    tmp_path: Path, read_all: Any, evaluation_clip: Any, extension: str, name: str
) -> None:
    with open_video(evaluation_clip(name)) as reader:
        pictures = [picture for picture, _ in zip(reader, range(12), strict=False)]
    path = tmp_path / f"clip.{extension}"
    write(path, reader.properties, pictures)
    written, again, _ = read_all(path)
    assert psnr(pictures, again, 255) > 55
    assert written.properties.pixel_format == "yuv420p"


@pytest.mark.parametrize(
    ("pixel_format", "found"),
    [(name, name) for name in ("yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le")]
    # H.264 without chroma, which FFmpeg decodes as 4:2:0.
    + [("gray", "yuv420p"), ("gray10le", "yuv420p10le")],
)
def test_mp4_keeps_the_pixel_format(tmp_path: Path, read_all: Any, pixel_format: str, found: str) -> None:
    properties = properties_of(pixel_format)
    pictures = pictures_for(properties)
    for lossless in (False, True):
        write(tmp_path / "clip.mp4", properties, pictures, lossless=lossless, overwrite=True)
        reader, again, _ = read_all(tmp_path / "clip.mp4")
        assert reader.properties.pixel_format == found
        if pixel_format.startswith("gray"):
            assert all((plane == 1 << (properties.bit_depth - 1)).all() for plane in again[0].planes[1:])
            assert reader.properties.color_range == "pc"
        luma = [Picture(picture.planes[:1], 0) for picture in pictures]
        luma_again = [Picture(picture.planes[:1], 0) for picture in again]
        if lossless:
            assert largest_difference(luma, luma_again) == 0
        else:
            assert psnr(luma, luma_again, (1 << properties.bit_depth) - 1) > 50


TAGS = [
    ("bt709", "tv", "bt709", "bt709"),
    ("bt2020nc", "tv", "bt2020", "smpte2084"),
    ("smpte170m", "pc", "smpte170m", "smpte170m"),
    ("unknown", "tv", "unknown", "unknown"),
    ("unknown", "pc", "unknown", "unknown"),
    ("unknown", "unknown", "unknown", "unknown"),
]


@pytest.mark.parametrize("extension", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("tags", TAGS)
def test_tags_rotation_and_pixel_shape_come_back(
    tmp_path: Path, read_all: Any, extension: str, rotation: int, tags: tuple[str, str, str, str]
) -> None:
    matrix, color_range, primaries, transfer = tags
    properties = properties_of(
        color_matrix=matrix,
        color_range=color_range,
        color_primaries=primaries,
        color_transfer=transfer,
        rotation=rotation,
        sample_aspect_ratio=Fraction(128, 117),
    )
    path = tmp_path / f"clip.{extension}"
    write(path, properties, pictures_for(properties))
    found = read_all(path)[0].properties
    for name in ("color_matrix", "color_primaries", "color_transfer", "rotation", "sample_aspect_ratio", "frame_rate"):
        assert getattr(found, name) == getattr(properties, name), name
    # x264 says no range where nothing else is tagged and the source says none; Matroska and mp4 agree.
    assert found.color_range == color_range


@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize("container", ["mkv", "mp4", "webm"])
def test_lossless_keeps_rotation_and_mkv_shape(tmp_path: Path, read_all: Any, container: str, rotation: int) -> None:
    shape = Fraction(4, 3) if container != "webm" else Fraction(1)
    properties = properties_of(rotation=rotation, sample_aspect_ratio=shape, color_matrix="bt709", color_range="tv")
    pictures = pictures_for(properties)
    write(tmp_path / f"clip.{container}", properties, pictures, lossless=True)
    reader, again, _ = read_all(tmp_path / f"clip.{container}")
    assert (reader.properties.rotation, reader.properties.sample_aspect_ratio) == (rotation, shape)
    assert (reader.properties.color_matrix, reader.properties.color_range) == ("bt709", "tv")
    assert largest_difference(pictures, again) == 0


def test_lossless_mkv_of_square_pixels_is_ffv1(tmp_path: Path) -> None:
    properties = properties_of()
    write(tmp_path / "clip.mkv", properties, pictures_for(properties), lossless=True)
    with av.open(str(tmp_path / "clip.mkv")) as container:
        assert container.streams.video[0].codec_context.name == "ffv1"


@pytest.mark.parametrize("time_base", [Fraction(1, 12800), Fraction(1, 90000), Fraction(1001, 30000), Fraction(1, 600)])
def test_varying_times_are_kept_exactly_in_mp4(tmp_path: Path, read_all: Any, time_base: Fraction) -> None:
    times = [7, 9, 20, 21, 50, 130]
    properties = properties_of(time_base=time_base, frame_rate=1 / time_base / 20)
    write(tmp_path / "clip.mp4", properties, pictures_for(properties, 6, times))
    reader, again, _ = read_all(tmp_path / "clip.mp4")
    assert [picture.pts * reader.properties.time_base for picture in again] == [time * time_base for time in times]


def test_varying_times_are_kept_to_a_millisecond_in_mkv(tmp_path: Path, read_all: Any) -> None:
    times = [0, 512, 3000, 3100, 12800]
    properties = properties_of(time_base=Fraction(1, 12800))
    write(tmp_path / "clip.mkv", properties, pictures_for(properties, 5, times))
    reader, again, _ = read_all(tmp_path / "clip.mkv")
    for picture, time in zip(again, times, strict=True):
        assert abs(picture.pts * reader.properties.time_base - Fraction(time, 12800)) <= Fraction(1, 1000)


AUDIO = [
    ("aac", "mp4"), ("aac", "mkv"), ("libmp3lame", "mp4"), ("libmp3lame", "mkv"), ("ac3", "mp4"), ("libopus", "mp4"),
    ("libopus", "mkv"), ("libopus", "webm"), ("libvorbis", "mkv"), ("flac", "mkv"), ("flac", "mp4"), ("alac", "mov"),
    ("pcm_s16le", "mkv"), ("pcm_s16le", "mov"), ("pcm_s24le", "mp4"),
]  # fmt: skip


@pytest.mark.parametrize(("codec", "extension"), AUDIO)
@pytest.mark.parametrize("channels", [1, 2])
def test_audio_packets_are_copied(
    tmp_path: Path, ffmpeg: Any, read_all: Any, copy_video: Any, codec: str, extension: str, channels: int
) -> None:
    source, target = tmp_path / "source.mkv", tmp_path / f"target.{extension}"
    video = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.6")
    sound = ("-f", "lavfi", "-i", "sine=d=0.6:r=48000", "-ac", channels, "-c:a", codec)
    ffmpeg(*video, *sound, "-metadata:s:a:0", "language=eng", source)
    copy_video(source, target)
    before, _, sent = read_all(source)
    after, pictures, received = read_all(target)
    assert len(pictures) == 15
    assert [packet.data for packet in received] == [packet.data for packet in sent]
    first, second = before.audio_streams[0], after.audio_streams[0]
    assert (second.codec, second.extradata) == (first.codec, first.extradata)
    assert (second.sample_rate, second.channels, second.language) == (48000, channels, "eng")
    for one, other in zip(sent, received, strict=True):
        assert abs(one.pts * first.time_base - other.pts * second.time_base) <= Fraction(1, 1000)
    decoded = ffmpeg("-i", target, "-map", "0:a", "-f", "s16le", "-")
    assert abs(len(decoded) / (2 * channels) - 0.6 * 48000) < 4096


def test_audio_of_a_real_clip_starts_and_ends_with_its_pictures(
    tmp_path: Path, read_all: Any, copy_video: Any, evaluation_clip: Any
) -> None:
    source = evaluation_clip("flower_cc0.mp4")
    copy_video(source, tmp_path / "copy.mp4")
    before, pictures, sent = read_all(source)
    after, again, received = read_all(tmp_path / "copy.mp4")
    assert [picture.pts for picture in again] == [picture.pts for picture in pictures]
    assert after.properties == before.properties
    assert [(packet.pts, packet.data) for packet in received] == [(packet.pts, packet.data) for packet in sent]


def test_audio_that_does_not_fit_is_left_out_with_a_warning(tmp_path: Path, read_all: Any, caplog: Any) -> None:
    stream = AudioStream("aac", b"\x11\x90", Fraction(1, 48000), 48000, "stereo", 2, "fltp")
    properties = properties_of()
    for name in ("clip.webm", "clip.y4m"):
        caplog.clear()
        write(tmp_path / name, properties, pictures_for(properties), audio=[stream])
        assert "left out" in caplog.text
        assert not read_all(tmp_path / name)[0].audio_streams


def test_portrait_of_odd_size_with_rotation(
    tmp_path: Path, ffmpeg: Any, read_all: Any, copy_video: Any, caplog: Any
) -> None:
    plain, turned = tmp_path / "plain.mkv", tmp_path / "turned.mkv"
    source = "testsrc2=s=78x102:d=0.2,format=yuv444p,crop=77:101,format=yuv420p"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", "ffv1", plain)
    ffmpeg("-display_rotation", 90, "-i", plain, "-c", "copy", turned)
    before, pictures, _ = read_all(turned)
    copy_video(turned, tmp_path / "copy.mp4")
    assert "yuv444p is written" in caplog.text
    after, again, _ = read_all(tmp_path / "copy.mp4")
    assert after.properties.rotation == before.properties.rotation == 270
    assert (after.properties.width, after.properties.height) == (before.properties.width, before.properties.height)
    assert psnr(pictures, again, 255) > 45
    with pytest.raises(UsageError, match=r"losslessly in mp4; write \.mkv"):
        copy_video(turned, tmp_path / "exact.mp4", lossless=True)
    copy_video(turned, tmp_path / "exact.mkv", lossless=True)
    exact, again, _ = read_all(tmp_path / "exact.mkv")
    assert largest_difference(pictures, again) == 0
    assert (exact.properties.rotation, exact.properties.pixel_format) == (270, "yuv420p")


def test_y4m_headers() -> None:
    def header(pixel_format: str, target: str, **changes: Any) -> bytes:
        return y4m_header(properties_of(pixel_format, **changes), describe_pixel_format(target))

    assert header("yuv420p", "yuv420p") == b"YUV4MPEG2 W64 H48 F25:1 Ip A1:1 C420jpeg\n"
    assert b"C420p10 XCOLORRANGE=FULL\n" in header("yuv420p10le", "yuv420p10le", color_range="pc")
    assert b"C422 XCOLORRANGE=LIMITED\n" in header("yuv422p", "yuv422p", color_range="tv")
    assert b"F30000:1001 Ip A128:117 Cmono\n" in header(
        "gray", "gray", frame_rate=Fraction(30000, 1001), sample_aspect_ratio=Fraction(128, 117)
    )
    assert b"C444 XCOLORRANGE=LIMITED\n" in header("rgb24", "yuv444p", color_range="pc")


def test_y4m_on_standard_output_is_what_ffmpeg_reads(tmp_path: Path, ffmpeg: Any, evaluation_clip: Any) -> None:
    source = evaluation_clip("park_joy_480x270.y4m")
    script = (
        "import sys\n"
        "from scaleflow.codec.video.reader import open_video\n"
        "from scaleflow.codec.video.writer import open_output\n"
        "with open_video('-') as reader, open_output('-', reader.properties) as writer:\n"
        "    for picture in reader:\n"
        "        writer.write(picture)\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, input=source.read_bytes(), capture_output=True, cwd=REPOSITORY, check=True)
    to_raw = ("-f", "rawvideo", "-")
    assert ffmpeg("-i", "-", *to_raw, stdin=done.stdout) == ffmpeg("-i", source, *to_raw)


@pytest.mark.parametrize(
    ("pixel_format", "name", "expected"),
    [
        ("rgb24", "out/", "rgb24"),
        ("gray", "out/", "gray"),
        ("yuv420p10le", "out/", "rgb48be"),
        ("gray10le", "out/p%03d.png", "gray16be"),
        ("rgb24", "out/p%d.bmp", "bgr24"),
    ],
)
def test_pictures_are_numbered_and_keep_their_depth(
    tmp_path: Path, read_all: Any, pixel_format: str, name: str, expected: str
) -> None:
    properties = properties_of(pixel_format, working_format="yuv420" if pixel_format != "rgb24" else "rgb")
    pictures = pictures_for(properties)
    write(f"{tmp_path}/{name}", properties, pictures)
    files = sorted(file.name for file in (tmp_path / "out").iterdir())
    first = "frame_000001.png" if name == "out/" else name.split("/")[1] % 1
    assert (files[0], len(files)) == (first, 4)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out"]
    reader, again, _ = read_all(tmp_path / "out", working_format=properties.working_format)
    assert reader.properties.pixel_format == expected
    if properties.working_format == "rgb":
        assert largest_difference(pictures, again) == 0
    if pixel_format == "gray10le":
        luma = [Picture(picture.planes[:1], 0) for picture in pictures]
        assert largest_difference(luma, [Picture(picture.planes[:1], 0) for picture in again]) == 0


def test_jpeg_pictures(tmp_path: Path, read_all: Any) -> None:
    properties = properties_of("rgb24", working_format="rgb")
    pictures = pictures_for(properties)
    write(f"{tmp_path}/p%d.jpg", properties, pictures)
    assert psnr(pictures, read_all(f"{tmp_path}/p%d.jpg", working_format="rgb")[1], 255) > 40


def test_existing_output_is_kept_unless_overwritten(tmp_path: Path, read_all: Any) -> None:
    properties = properties_of()
    pictures = pictures_for(properties)
    for name in ("clip.mp4", "clip.y4m"):
        (tmp_path / name).write_bytes(b"precious")
        with pytest.raises(UsageError, match=r"exists already.*overwrite=True"):
            open_output(tmp_path / name, properties)
        assert (tmp_path / name).read_bytes() == b"precious"
        write(tmp_path / name, properties, pictures, overwrite=True)
        assert len(read_all(tmp_path / name)[1]) == 4


@pytest.mark.parametrize("pattern", ["", "frame_%06d.png"])
def test_only_pictures_of_the_names_that_are_written_are_replaced(tmp_path: Path, pattern: str, caplog: Any) -> None:
    properties = properties_of()
    folder = tmp_path / "out"
    write(f"{folder}/", properties, pictures_for(properties, 3))
    others = {"holiday.png": b"mine", "frame_7.png": b"7", "frame_0000001.png": b"long", "notes.txt": b"kept"}
    for name, content in others.items():
        (folder / name).write_bytes(content)
    third = (folder / "frame_000003.png").read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        open_output(f"{folder}/{pattern}", properties)
    (folder / "frame_000001.png").write_bytes(b"old")
    write(f"{folder}/{pattern}", properties, pictures_for(properties, 2), overwrite=True)
    assert {name: (folder / name).read_bytes() for name in others} == others
    assert (folder / "frame_000003.png").read_bytes() == third
    assert (folder / "frame_000001.png").read_bytes() != b"old"
    assert len(list(folder.iterdir())) == len(others) + 3
    assert "1 pictures of another sequence stay" in caplog.text


def test_pictures_are_replaced_all_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    properties = properties_of()
    folder = tmp_path / "out"
    write(f"{folder}/", properties, pictures_for(properties, 3))
    for number in (1, 2, 3):
        (folder / f"frame_{number:06}.png").write_bytes(b"old")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    replace_file = os.replace
    moves: list[Path] = []

    def fail_late(source: Path, target: Path) -> None:
        moves.append(source)
        if len(moves) == 4:
            raise OSError(28, "No space left on device")
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", fail_late)
    with pytest.raises(DataError, match="No space left"):
        write(folder, properties, pictures_for(properties, 3), overwrite=True)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    monkeypatch.undo()
    (folder / "frame_000002.png").unlink()
    (folder / "frame_000002.png").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        write(folder, properties, pictures_for(properties, 3), overwrite=True)
    assert (folder / "frame_000001.png").read_bytes() == b"old"


def test_a_picture_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    properties = properties_of()
    writer = open_output(f"{tmp_path}/out/p%d.png", properties) if (tmp_path / "out").mkdir() is None else None
    assert writer is not None
    for picture in pictures_for(properties, 2):
        writer.write(picture)
    (tmp_path / "out" / "p2.png").write_bytes(b"mine")
    with pytest.raises(DataError, match="has appeared"):
        writer.close()
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["p2.png"]


def test_pictures_go_into_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    properties = properties_of()
    write("p%03d.png", properties, pictures_for(properties, 2))
    write("100%_%d%%.png", properties, pictures_for(properties, 1))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["100%_1%.png", "p001.png", "p002.png"]
    with pytest.raises(UsageError, match="has 2"):
        open_output("p%d_%d.png", properties)
    write(".", properties, pictures_for(properties, 1))
    assert (tmp_path / "frame_000001.png").exists()


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.y4m", "clip.yuv", "pictures/"])
@pytest.mark.parametrize("failure", [KeyboardInterrupt, DataError])
def test_an_aborted_output_leaves_nothing(tmp_path: Path, name: str, failure: type[BaseException]) -> None:
    properties = properties_of()
    with pytest.raises(failure), open_output(f"{tmp_path}/{name}", properties) as writer:
        for picture in pictures_for(properties):
            writer.write(picture)
        raise failure("stop")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.y4m", "pictures/"])
def test_an_aborted_overwrite_keeps_what_was_there(tmp_path: Path, name: str) -> None:
    properties = properties_of()
    write(f"{tmp_path}/{name}", properties, pictures_for(properties))
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    writer = open_output(f"{tmp_path}/{name}", properties, overwrite=True)
    writer.write(pictures_for(properties)[2])
    writer.close(aborted=True)
    writer.close()
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.y4m", "pictures/"])
def test_an_output_without_pictures_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="no picture to write"):
        write(f"{tmp_path}/{name}", properties_of(), [])
    assert not list(tmp_path.iterdir())


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    other = pictures_for(properties_of(width=80))
    with pytest.raises(DataError, match="picture 0 is 80x48, the video 64x48"):
        write(tmp_path / "clip.mp4", properties_of(), other)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clip.gif", "cannot tell the form of output"),
        ("clip", "cannot tell the form of output"),
        ("absent/clip.mp4", "folder .* does not exist"),
        ("absent/deeper/", "does not exist"),
        ("p%d.gif", "pictures can be written as"),
    ],
)
def test_outputs_that_cannot_be(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_output(f"{tmp_path}/{name}", properties_of())
    with pytest.raises(UsageError, match="is not one of"):
        open_output(tmp_path / "clip.mp4", properties_of(), format="theora")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_folder(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    for name in ("clip.mp4", "clip.y4m", "pictures/"):
        with pytest.raises(UsageError, match="cannot be written: Permission denied"):
            open_output(f"{folder}/{name}", properties_of())


@pytest.mark.skipif(not FULL_DEVICE.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("form", ["y4m", "yuv", "mkv"])
def test_a_full_disk_is_one_clear_line(form: str) -> None:
    properties = properties_of(width=640, height=480)
    with pytest.raises(DataError, match=r"/dev/full: writing failed: No space left on device") as caught:
        write(FULL_DEVICE, properties, pictures_for(properties, 20), format=form, overwrite=True)
    assert "\n" not in str(caught.value)
    assert FULL_DEVICE.is_char_device()


def test_mp4_on_a_device_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be written to a pipe or device"):
        open_output("/dev/null", properties_of(), format="mp4")


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.y4m", "clip.yuv", "pictures/"])
def test_a_file_that_may_not_grow_leaves_nothing(tmp_path: Path, name: str) -> None:
    """A limit on file size stands for a full disk: the system refuses the write half-way."""
    properties = properties_of(width=320, height=240)
    random = np.random.default_rng(0)
    pictures = [
        Picture(tuple(random.integers(0, 256, plane.shape).astype(np.uint8) for plane in picture.planes), picture.pts)
        for picture in pictures_for(properties, 20)
    ]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(DataError, match="writing failed: File too large; nothing was kept"):
            write(f"{tmp_path}/{name}", properties, pictures)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)
    assert not list(tmp_path.iterdir())


def test_a_reader_that_goes_away_is_named() -> None:
    script = (
        "from fractions import Fraction\n"
        "import numpy as np\n"
        "from scaleflow.errors import DataError\n"
        "from scaleflow.codec.picture import Picture, VideoProperties\n"
        "from scaleflow.codec.video.writer import open_output\n"
        "p = VideoProperties(640, 480, 'gray', 8, Fraction(25), Fraction(1, 25))\n"
        "picture = Picture((np.zeros((480, 640), np.uint8), *[np.zeros((240, 320), np.uint8)] * 2), 0)\n"
        "try:\n"
        "    with open_output('-', p) as writer:\n"
        "        for _ in range(50):\n"
        "            writer.write(picture)\n"
        "except DataError as error:\n"
        "    raise SystemExit(f'said: {error}')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    message = process.stderr.read().decode()
    assert process.wait() == 1
    assert "said: standard output: the reader has closed the pipe" in message


def test_uneven_times_in_y4m_are_warned_of(tmp_path: Path, caplog: Any) -> None:
    properties = properties_of()
    write(tmp_path / "even.y4m", properties, pictures_for(properties))
    assert not caplog.text
    write(tmp_path / "uneven.y4m", properties, pictures_for(properties, 4, [0, 1, 7, 9]))
    assert caplog.text.count("times of the source are lost") == 1
