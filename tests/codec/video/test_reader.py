"""Reading: pictures as they are, whatever holds them, and one clear line where that cannot be."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from scaleflow.codec.video.raw_format import RawVideoFormat
from scaleflow.codec.video.reader import open_video
from scaleflow.codec.video.rotation import rotation_of_matrix
from scaleflow.errors import DataError, ScaleFlowError, UsageError
from tests.places import REPOSITORY

PASSED_THROUGH = ["yuv420p", "yuv420p10le", "nv12", "gray", "gray10le"]


def raw_clip(folder: Path, noise: Any, pixel_format: str, width: int, height: int, count: int = 3) -> Path:
    layout = RawVideoFormat(width, height, Fraction(25), pixel_format)
    depth = max(component.bits for component in av.VideoFormat(pixel_format, width, height).components)
    size = layout.frame_size * count
    path = folder / f"{pixel_format}_{width}x{height}.yuv"
    path.write_bytes(noise(size) if depth == 8 else noise(size // 2, (1 << depth) - 1))
    return path


@pytest.mark.parametrize("pixel_format", PASSED_THROUGH)
@pytest.mark.parametrize(("width", "height"), [(101, 77), (64, 48)])
@pytest.mark.parametrize("container", ["ffv1.mkv", "raw"])
def test_samples_pass_untouched(
    tmp_path: Path, ffmpeg: Any, noise: Any, read_all: Any, pixel_format: str, width: int, height: int, container: str
) -> None:
    source = raw_clip(tmp_path, noise, pixel_format, width, height)
    form = RawVideoFormat(width, height, Fraction(25), pixel_format)
    if container == "raw":
        reader, pictures, _ = read_all(source, raw=form)
    else:
        raw_options = ("-f", "rawvideo", "-s", f"{width}x{height}", "-pix_fmt", pixel_format, "-r", "25")
        planar = "yuv420p" if pixel_format == "nv12" else pixel_format
        target = tmp_path / "clip.mkv"
        ffmpeg(*raw_options, "-i", source, "-c:v", "ffv1", "-pix_fmt", planar, target)
        reader, pictures, _ = read_all(target)
    assert len(pictures) == 3
    assert reader.properties.frame_rate == 25
    deep = pixel_format.endswith("10le")
    assert reader.properties.bit_depth == (10 if deep else 8)
    data = np.frombuffer(source.read_bytes(), "<u2" if deep else np.uint8)
    per_frame = data.size // 3
    chroma = ((height + 1) // 2, (width + 1) // 2)
    for number, picture in enumerate(pictures):
        frame = data[number * per_frame : (number + 1) * per_frame]
        assert np.array_equal(picture.planes[0].ravel(), frame[: width * height])
        assert picture.planes[1].shape == picture.planes[2].shape == chroma
        rest = frame[width * height :]
        if pixel_format.startswith("gray"):
            assert (picture.planes[1] == (512 if deep else 128)).all()
        elif pixel_format == "nv12":
            assert np.array_equal(picture.planes[1].ravel(), rest[0::2])
            assert np.array_equal(picture.planes[2].ravel(), rest[1::2])
        else:
            assert np.array_equal(np.concatenate([plane.ravel() for plane in picture.planes[1:]]), rest)


def test_twelve_bit_is_rounded_to_ten(tmp_path: Path, noise: Any, read_all: Any) -> None:
    source = raw_clip(tmp_path, noise, "yuv420p12le", 32, 16, 1)
    form = RawVideoFormat(32, 16, Fraction(25), "yuv420p12le")
    _, (picture,), _ = read_all(source, raw=form)
    samples = np.frombuffer(source.read_bytes(), "<u2")[: 32 * 16].astype(np.int64)
    assert np.array_equal(picture.planes[0].ravel(), np.minimum((samples + 2) // 4, 1023))


@pytest.mark.parametrize("name", ["foreman_cif_intra.264", "park_joy_480x270.y4m", "flower_cc0.mp4"])
def test_real_clips_equal_what_pyav_decodes(evaluation_clip: Any, name: str) -> None:
    path = evaluation_clip(name)
    with open_video(path) as reader, av.open(str(path)) as container:
        for picture, frame in zip(reader, container.decode(video=0), strict=False):
            expected = frame.to_ndarray()
            flat = np.concatenate([plane.ravel() for plane in picture.planes])
            assert np.array_equal(flat, expected.ravel())
            if frame.pts is not None and frame.pts > 20 * 1001:
                break


def test_elementary_stream_gets_even_times(evaluation_clip: Any, read_all: Any) -> None:
    reader, pictures, _ = read_all(evaluation_clip("mobile_cif_pcm.264"))
    assert (reader.properties.frame_rate, reader.properties.time_base) == (25, Fraction(1, 25))
    assert [picture.pts for picture in pictures] == list(range(30))


TIMED = {
    "b_frames.mp4": ["-c:v", "libx264", "-bf", "2"],
    "b_frames.mkv": ["-c:v", "libx264", "-bf", "2"],
    "b_frames.avi": ["-c:v", "mpeg4", "-bf", "2"],
    "b_frames.ts": ["-c:v", "libx264", "-bf", "2"],
    "program.mpg": ["-c:v", "mpeg2video", "-bf", "2"],
    "elementary.h264": ["-c:v", "libx264", "-bf", "2"],
    "repeated.ogv": ["-c:v", "libtheora"],
    "flash.flv": ["-c:v", "flv"],
    "wraps.ts": ["-c:v", "libx264", "-output_ts_offset", "95443.4"],
    "pictures.gif": ["-c:v", "gif"],
}


@pytest.mark.parametrize("name", TIMED)
def test_times_are_those_of_ffmpeg(tmp_path: Path, ffmpeg: Any, read_all: Any, name: str) -> None:
    clip = tmp_path / name
    pixels = [] if name.endswith("gif") else ["-pix_fmt", "yuv420p"]
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=30000/1001:d=0.7", *TIMED[name], *pixels, clip)
    listing = ffmpeg(
        "-i", clip, "-map", "0:v", "-fps_mode", "passthrough", "-enc_time_base", "1/90000", "-f", "framehash", "-"
    )
    rows = [line.split(",") for line in listing.decode().splitlines() if not line.startswith("#")]
    theirs = [int(row[2]) / 90000 for row in rows]
    reader, pictures, _ = read_all(clip)
    ours = [float(picture.pts * reader.properties.time_base) for picture in pictures]
    assert [t - ours[0] for t in ours] == pytest.approx([t - theirs[0] for t in theirs], abs=0.0015)
    assert not reader.damage.sentences()


def test_one_odd_time_moves_no_other_picture(tmp_path: Path, ffmpeg: Any, read_all: Any) -> None:
    clip, odd = tmp_path / "clip.mkv", tmp_path / "odd.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.6", "-c:v", "libx264", "-bf", "0", clip)
    ffmpeg("-i", clip, "-c", "copy", "-bsf:v", "setts=pts='if(eq(N,8),PTS+90000,PTS)'", odd)
    _, pictures, _ = read_all(odd)
    assert [picture.pts for picture in pictures] == [40 * number for number in range(15)]


def test_a_cut_mp4_is_said_to_end_early(tmp_path: Path, ffmpeg: Any, read_all: Any) -> None:
    clip = tmp_path / "clip.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2", "-g", 5, "-movflags", "+faststart", clip)
    whole, _, _ = read_all(clip)
    assert not whole.damage.sentences()
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size * 2 // 3])
    cut, pictures, _ = read_all(clip)
    assert 0 < len(pictures) < 50 and any("ends at" in what or "after" in what for what in cut.damage.sentences())


def test_audio_comes_between_pictures(evaluation_clip: Any) -> None:
    with open_video(evaluation_clip("flower_cc0.mp4")) as reader:
        kinds = [type(item).__name__ for item in reader.items()]
    assert [stream.codec for stream in reader.audio_streams] == ["aac"]
    assert kinds.count("Picture") == reader.frame_count == 150
    assert kinds.count("AudioPacketData") == 237
    halves = kinds[: len(kinds) // 2], kinds[len(kinds) // 2 :]
    assert all(0.3 < half.count("Picture") / 75 < 1.7 for half in halves)


def test_y4m_on_standard_input_streams(ffmpeg: Any, tmp_path: Path) -> None:
    y4m = ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=30:d=1", "-f", "yuv4mpegpipe", "-pix_fmt", "yuv420p", "-")
    script = (
        "from scaleflow.codec.video.reader import open_video\n"
        "with open_video('-') as reader:\n"
        "    print(reader.properties.frame_rate, sum(1 for _ in reader), reader.frame_count)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], input=y4m, capture_output=True, cwd=REPOSITORY, check=True)
    assert done.stdout.decode().split() == ["30", "30", "None"]


def test_variable_frame_rate_keeps_times(tmp_path: Path, ffmpeg: Any, read_all: Any) -> None:
    clip = tmp_path / "vfr.mp4"
    source = "testsrc2=s=64x48:r=25:d=2"
    ffmpeg("-f", "lavfi", "-i", source, "-vf", "select='not(mod(n,3))+not(mod(n,7))'", "-fps_mode", "vfr", clip)
    kept = [number for number in range(50) if number % 3 == 0 or number % 7 == 0]
    reader, pictures, _ = read_all(clip)
    ticks = Fraction(1, 25) / reader.properties.time_base
    assert [picture.pts for picture in pictures] == [number * ticks for number in kept]


@pytest.mark.parametrize(("anticlockwise", "clockwise"), [(90, 270), (180, 180), (-90, 90), (0, 0)])
def test_rotation_is_read_and_not_applied(
    tmp_path: Path, ffmpeg: Any, read_all: Any, anticlockwise: int, clockwise: int
) -> None:
    plain, turned = tmp_path / "plain.mp4", tmp_path / "turned.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.2", plain)
    ffmpeg("-display_rotation", anticlockwise, "-i", plain, "-c", "copy", turned)
    reader, pictures, _ = read_all(turned)
    assert reader.properties.rotation == clockwise
    assert pictures[0].planes[0].shape == (48, 64)


def test_mirrored_and_empty_matrices_are_no_rotation() -> None:
    one = 1 << 16
    for matrix, found in [
        ([0] * 9, (0, "")),
        ([0, one, 0, -one, 0, 0, 0, 0, 1 << 30], (90, "")),
        ([-one, 0, 0, 0, one, 0, 0, 0, 1 << 30], (0, "mirrored left to right")),
        ([one, 0, 0, 0, -one, 0, 0, 0, 1 << 30], (0, "mirrored top to bottom")),
        ([46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30], (0, "turned by 45.0 degrees")),
    ]:
        assert rotation_of_matrix(np.array(matrix, np.int32).tobytes()) == found


def test_tags_and_pixel_shape_are_read(tmp_path: Path, ffmpeg: Any, read_all: Any) -> None:
    clip = tmp_path / "tags.mkv"
    tags = "setparams=colorspace=bt2020nc:color_primaries=bt2020:color_trc=smpte2084:range=tv"
    source = f"testsrc2=s=64x48:d=0.2,format=yuv422p10le,setsar=4/3,{tags}"
    ffmpeg("-f", "lavfi", "-i", source, clip)
    properties = read_all(clip)[0].properties
    assert properties.pixel_format == "yuv422p10le"
    assert properties.sample_aspect_ratio == Fraction(4, 3)
    assert (properties.color_matrix, properties.color_range) == ("bt2020nc", "tv")
    assert (properties.color_primaries, properties.color_transfer) == ("bt2020", "smpte2084")


def test_jpeg_is_full_range_and_keeps_it(tmp_path: Path, ffmpeg: Any, read_all: Any) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.2", "-pix_fmt", "yuvj420p", tmp_path / "%03d.jpg")
    reader, pictures, _ = read_all(tmp_path)
    assert (reader.properties.color_range, reader.properties.pixel_format) == ("pc", "yuvj420p")
    assert len(pictures) == reader.frame_count == 5


def test_full_range_video_is_no_jpeg(tmp_path: Path, ffmpeg: Any, read_all: Any) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.2", "-pix_fmt", "yuvj420p", tmp_path / "full.mp4")
    properties = read_all(tmp_path / "full.mp4")[0].properties
    assert (properties.color_range, properties.pixel_format) == ("pc", "yuv420p")


@pytest.mark.parametrize("pattern", ["", "p%d.png", "p*.png"])
def test_pictures_come_in_the_order_of_their_numbers(tmp_path: Path, read_all: Any, pattern: str) -> None:
    for number in (2, 10, 1, 9):
        frame = av.VideoFrame.from_ndarray(np.full((8, 8, 3), number * 20, np.uint8), format="rgb24")
        encoder: Any = av.CodecContext.create("png", "w")
        encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 8, 8, "rgb24", Fraction(1, 25)
        (tmp_path / f"p{number}.png").write_bytes(b"".join(bytes(packet) for packet in encoder.encode(frame)))
    reader, pictures, _ = read_all(f"{tmp_path}/{pattern}", working_format="rgb", frame_rate=Fraction(30))
    assert [int(picture.planes[0][0, 0]) for picture in pictures] == [20, 40, 180, 200]
    assert [picture.pts for picture in pictures] == [0, 1, 2, 3]
    assert (reader.properties.frame_rate, reader.properties.pixel_format) == (30, "rgb24")


def test_jpeg_among_png_keeps_its_color(tmp_path: Path, ffmpeg: Any, read_all: Any) -> None:
    for name in ("1.png", "2.jpg", "3.png"):
        options = ("-pix_fmt", "yuvj420p", "-q:v", 1) if name.endswith("jpg") else ()
        ffmpeg("-f", "lavfi", "-i", "color=0xC02040:s=64x48", "-frames:v", 1, *options, tmp_path / name)
    for working_format in ("yuv420", "rgb"):
        _, pictures, _ = read_all(tmp_path, working_format=working_format)
        values = np.array([[int(plane[20, 20]) for plane in picture.planes] for picture in pictures])
        assert np.abs(values - values[0]).max() <= 4  # JPEG and 8 bit round


def test_given_frame_rate_replaces_times(tmp_path: Path, ffmpeg: Any, read_all: Any) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.4", tmp_path / "clip.mp4")
    reader, pictures, _ = read_all(tmp_path / "clip.mp4", frame_rate=Fraction(50))
    assert reader.properties.frame_rate == 50
    assert [picture.pts * reader.properties.time_base for picture in pictures] == [Fraction(k, 50) for k in range(10)]


def test_raw_size_that_does_not_fit_names_size_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "clip.yuv"
    path.write_bytes(bytes(64 * 48 * 3 // 2 * 2 + 5))
    with pytest.raises(DataError, match=r"clip\.yuv: 9221 bytes .*64x48 yuv420p .*5 left over.*size and pixel_format"):
        open_video(path, raw=RawVideoFormat(64, 48, Fraction(25)))


@pytest.mark.parametrize(
    ("pixel_format", "width", "height"),
    [
        ("yuv420p", 101, 77),
        ("nv12", 64, 48),
        ("yuyv422", 64, 48),
        ("rgb24", 101, 77),
        ("bgr0", 7, 5),
        ("yuv422p10le", 101, 77),
        ("gray10le", 101, 77),
        ("p010le", 64, 48),
        ("yuv444p", 5, 3),
        ("rgb48le", 5, 3),
    ],
)
def test_raw_picture_size_is_that_of_ffmpeg(ffmpeg: Any, pixel_format: str, width: int, height: int) -> None:
    source = f"color=s={width}x{height}:d=0.04,format={pixel_format}"
    output = ffmpeg("-f", "lavfi", "-i", source, "-frames:v", 1, "-f", "rawvideo", "-pix_fmt", pixel_format, "-")
    assert RawVideoFormat(width, height, Fraction(25), pixel_format).frame_size == len(output)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0, 48, Fraction(25)), "width 0"), ((64, 48, Fraction(0)), "rate 0"), ((64, 48, Fraction(25), "x"), "'x'")],
)
def test_raw_form_is_checked(arguments: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        RawVideoFormat(*arguments)


def test_change_of_size_is_named(tmp_path: Path, ffmpeg: Any, read_all: Any) -> None:
    parts = []
    for size in ("64x48", "80x48"):
        parts.append(tmp_path / f"{size}.ts")
        ffmpeg("-f", "lavfi", "-i", f"testsrc2=s={size}:d=0.2", "-c:v", "libx264", parts[-1])
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.raises(DataError, match=r"joined\.ts: picture 5 is 80x48 .* 64x48; .*scale"):
        read_all(joined)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.txt", b"this is no video\n" * 50, "is a text file"),
        ("empty.mp4", b"", "the file is empty"),
        ("noise.mkv", bytes(range(256)) * 40, "cannot be opened as a video"),
        ("again.sfv", b"\x93SFV\r\n\x1a\n" + bytes(100), "is coded by ScaleFlow already: decode it first"),
        ("header.y4m", b"YUV4MPEG2 W64 H48 F25:1 C420jpeg\n", "no picture|cannot be opened"),
    ],
)
def test_what_is_no_video_is_one_clear_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        open_video(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sound_alone_and_truncated_files(tmp_path: Path, ffmpeg: Any) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", tmp_path / "sound.wav")
    with pytest.raises(DataError, match=r"sound\.wav: has no video stream \(it holds audio\)"):
        open_video(tmp_path / "sound.wav")
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.4", tmp_path / "whole.mp4")
    content = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"cut\.mp4: cannot be opened"):
        open_video(tmp_path / "cut.mp4")


@pytest.mark.parametrize("path", ["absent.mp4", "absent/%03d.png"])
def test_missing_input_is_a_usage_error(tmp_path: Path, path: str) -> None:
    with pytest.raises(UsageError, match=r"no such (file|folder)"):
        open_video(tmp_path / path)


@pytest.mark.parametrize("path", ["", "f%03d.png", "*.png"])
def test_no_pictures(tmp_path: Path, path: str) -> None:
    with pytest.raises(ScaleFlowError, match=r"no pictures|no file matches"):
        open_video(f"{tmp_path}/{path}")


def test_damaged_packets_are_skipped(tmp_path: Path, ffmpeg: Any, read_all: Any, caplog: Any) -> None:
    clip = tmp_path / "clip.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.4", "-c:v", "ffv1", "-slicecrc", 1, clip)
    with av.open(str(clip)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    content = bytearray(clip.read_bytes())
    start = content.index(bytes(content[places[5] : places[5] + 16]))
    content[start + 40 : start + 400] = b"\xff" * 360
    clip.write_bytes(content)
    _, pictures, _ = read_all(clip)
    assert 1 <= len(pictures) <= 10
    assert [picture.pts for picture in pictures] == sorted({picture.pts for picture in pictures})


def test_memory_does_not_grow_with_length(tmp_path: Path, ffmpeg: Any) -> None:
    clip = tmp_path / "long.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=40", "-c:v", "libx264", "-preset", "ultrafast", clip)
    script = (
        "import resource, sys\n"
        "from itertools import islice\n"
        "from scaleflow.codec.video.reader import open_video\n"
        "with open_video(sys.argv[1], threads=1) as reader:\n"
        "    print(sum(1 for _ in islice(reader, int(sys.argv[2]))))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    peaks = []
    for count in (100, 1000):
        command = [sys.executable, "-c", script, str(clip), str(count)]
        read, peak = subprocess.run(command, capture_output=True, cwd=REPOSITORY, check=True).stdout.split()
        assert int(read) == count
        peaks.append(int(peak))
    assert peaks[1] < peaks[0] * 1.1
