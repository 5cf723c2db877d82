"""Files that people have: small ones of each kind that once went wrong, from the command line to what comes back."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from scaleflow.codec.container import AudioPacket, SfvReader, VideoPacket
from scaleflow.codec.picture import Picture
from scaleflow.codec.video.reader import open_video
from tests.cli.conftest import Result
from tests.places import SHARED

INPUTS = SHARED / "cases" / "inputs"
Command = Callable[..., Result]


@pytest.fixture
def given(tmp_path: Path) -> Callable[[str], Path]:
    """A copy of one of the shared inputs; the test is skipped where they are absent."""

    def find(name: str) -> Path:
        source = INPUTS / name
        if not source.exists():
            pytest.skip(f"needs {name} of ../shared/cases/inputs")
        target = tmp_path / "given" / name
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
        return target

    return find


@pytest.fixture
def coded(scaleflow: Command, tmp_path: Path) -> Callable[..., Path]:
    """Encodes, and gives the stream; the command must exit with ``code``."""

    def encode(source: Path | str, *options: object, code: int = 0, says: str = "") -> Path:
        target = tmp_path / "coded.sfv"
        result = scaleflow("encode", source, target, "-q", 10, "--overwrite", *options)
        assert result.code == code, result.stderr
        assert says in result.stderr
        return target

    return encode


def times_of(path: Path) -> list[float]:
    with open_video(path) as reader:
        return [round(float(picture.pts * reader.properties.time_base), 4) for picture in reader]


def audio_of(path: Path) -> list[tuple[str, int, list[float]]]:
    """Codec, packets and times of each audio stream, from the file alone."""
    with av.open(str(path)) as container:
        streams = container.streams.audio
        packets = [packet for packet in container.demux(*streams) if packet.size] if streams else []
        return [
            (
                stream.codec_context.codec.canonical_name,
                sum(packet.stream.index == stream.index for packet in packets),
                [float(packet.pts * packet.time_base) for packet in packets if packet.stream.index == stream.index],
            )
            for stream in streams
        ]


def steps(times: list[float]) -> set[float]:
    return {round(second - first, 4) for first, second in pairwise(times)}


@pytest.mark.parametrize("name", ["exif.jpg", "plain.tif"])
def test_pictures_with_side_data_that_is_not_known(name: str, given: Any, coded: Any, scaleflow: Command) -> None:
    source = given(name)
    with SfvReader(coded(source)) as reader:
        assert (reader.header.video.width, reader.header.video.height) == (64, 48)
        assert sum(isinstance(item, VideoPacket) for item in reader) == 1
    coded(source, "--roi", source)
    found = scaleflow("compare", source, source, "--json")
    assert found.code == 0 and json.loads(found.stdout)["identical"] == 1


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_clock_that_was_set_anew(container: str, given: Any, coded: Any, scaleflow: Command, tmp_path: Path) -> None:
    decoded = tmp_path / f"decoded.{container}"
    assert scaleflow("decode", coded(given("disc.ts")), decoded).code == 0
    times = times_of(decoded)
    assert len(times) == 30 and steps(times) == {0.04}
    ((_, packets, audio_times),) = audio_of(decoded)
    assert packets == 50 and audio_times == sorted(audio_times)


def test_aac_of_a_transport_stream_is_playable(given: Any, coded: Any, scaleflow: Command, tmp_path: Path) -> None:
    decoded = tmp_path / "decoded.mkv"
    assert scaleflow("decode", coded(given("adts.ts")), decoded).code == 0
    with av.open(str(decoded)) as container:
        assert len(container.streams) == 2
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.rate) == ("aac", 44100)
        assert sum(frame.samples for frame in container.decode(stream)) == 27 * 1024
    assert audio_of(decoded)[0][:2] == ("aac", 27)


@pytest.mark.parametrize("threads", [1, 2, 8, 16])
def test_damage_costs_the_same_pictures_with_any_number_of_threads(threads: int, given: Any) -> None:
    with open_video(given("damaged.mkv"), threads=threads) as reader:
        assert len(list(reader)) == 23
        assert reader.damage.damaged_packets == 1


def test_a_mirror_is_warned_of_and_nothing_is_turned(given: Any, coded: Any) -> None:
    with SfvReader(coded(given("hflip.mp4"), says="mirrored left to right, which is not kept")) as reader:
        assert reader.header.video.rotation == 0


@pytest.mark.parametrize(("name", "container"), [("flac.mkv", "mov"), ("opus.mp4", "mov"), ("ch16.mkv", "mp4")])
def test_audio_that_does_not_fit_leaves_the_video(
    name: str, container: str, given: Any, coded: Any, scaleflow: Command, tmp_path: Path
) -> None:
    decoded = tmp_path / f"decoded.{container}"
    result = scaleflow("decode", coded(given(name)), decoded)
    assert result.code == 0 and "cannot be copied into" in result.stderr and "left out" in result.stderr
    assert times_of(decoded) and not audio_of(decoded)


@pytest.mark.parametrize("options", [("--duration", 0.08), ("--frames", 2)])
@pytest.mark.parametrize("when", ["encode", "decode"])
@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
def test_audio_is_cut_with_the_pictures(
    options: Any, when: str, container: str, given: Any, coded: Any, scaleflow: Command, tmp_path: Path
) -> None:
    decoded = tmp_path / f"decoded.{container}"
    stream = coded(given("seek.mp4"), *(options if when == "encode" else ()))
    assert scaleflow("decode", stream, decoded, *(options if when == "decode" else ())).code == 0
    assert times_of(decoded) == [0.0, 0.04]
    ((codec, packets, times),) = audio_of(decoded)
    assert (codec, packets) == ("aac", 5)
    assert times[0] == pytest.approx(-0.021, abs=0.001) and times[-1] < 0.08


@pytest.mark.parametrize("when", ["encode", "decode"])
def test_audio_is_cut_at_the_start(when: str, given: Any, coded: Any, scaleflow: Command, tmp_path: Path) -> None:
    part = ("--start", 2, "--frames", 5)
    stream = coded(given("seek.mp4"), *(part if when == "encode" else ()))
    decoded = tmp_path / "decoded.mkv"
    assert scaleflow("decode", stream, decoded, *(part if when == "decode" else ())).code == 0
    ((_, packets, times),) = audio_of(decoded)
    assert len(times_of(decoded)) == 5
    assert packets in (9, 10) and min(times) >= 0 and max(times) < 0.2


def test_a_grey_first_picture_takes_no_colours(given: Any, coded: Any, scaleflow: Command, tmp_path: Path) -> None:
    assert scaleflow("decode", coded(given("greyfirst")), f"{tmp_path}/out/").code == 0
    pictures = sorted((tmp_path / "out").iterdir())
    with open_video(pictures[2], working_format="rgb") as reader:
        planes = next(iter(reader)).planes
    assert np.ptp([int(plane.astype(int).mean()) for plane in planes]) > 10


def test_the_best_estimate_of_times(given: Any, coded: Any, scaleflow: Command, tmp_path: Path) -> None:
    decoded = tmp_path / "decoded.mkv"
    assert scaleflow("decode", coded(given("bb.avi")), decoded).code == 0
    assert times_of(decoded) == [round(0.08 + 0.04 * number, 4) for number in range(25)]


def test_pictures_before_the_first_time(given: Any, coded: Any, scaleflow: Command, tmp_path: Path) -> None:
    decoded = tmp_path / "decoded.mkv"
    stream = coded(given("notime.mkv"))
    with SfvReader(stream) as reader:
        pictures = [item.pts for item in reader if isinstance(item, VideoPacket)]
    assert pictures == [40 * number - 200 for number in range(25)]
    assert scaleflow("decode", stream, decoded).code == 0
    assert times_of(decoded) == [round(0.04 * number - 0.2, 4) for number in range(25)]


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv", "webm"])
def test_the_last_picture_lasts_as_long_as_it_did(
    container: str, given: Any, coded: Any, scaleflow: Command, tmp_path: Path
) -> None:
    stream = coded(given("lastdelay.gif"))
    found = json.loads(scaleflow("info", stream, "--json").stdout)
    assert found["duration"] == pytest.approx(1.62)
    decoded = tmp_path / f"decoded.{container}"
    assert scaleflow("decode", stream, decoded).code == 0
    with av.open(str(decoded)) as opened:
        assert opened.duration == pytest.approx(1_620_000, abs=2000)


def test_a_frame_rate_that_is_one(given: Any, coded: Any) -> None:
    with SfvReader(coded(given("dv1.dv"))) as reader:
        assert reader.header.video.frame_rate == Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("name", "says", "pictures"),
    [
        ("truncated.mkv", "ends at 1.00 s of 1.62 s that its header promises", 25),
        ("hole.mkv", "ends at 0.44 s of 1.00 s that its header promises", 11),
        ("truncated.y4m", "ends within picture 2", 2),
        ("damaged.ts", "1 pictures are damaged", 23),
        ("damaged.mkv", "1 video packets are damaged", 23),
    ],
)
def test_damage_is_said(name: str, says: str, pictures: int, given: Any, coded: Any) -> None:
    source = given(name)
    with SfvReader(coded(source, code=1, says=says)) as reader:
        assert sum(isinstance(item, VideoPacket) for item in reader) == pictures
    coded(source, "--tolerate-damage", says=says)
    # What is read in part only is not held against the file.
    coded(source, "--frames", 1)


def test_a_truncated_pipe_is_said(program: Any, given: Any, tmp_path: Path) -> None:
    source = given("truncated.y4m")
    with source.open("rb") as stream:
        process = program("encode", "-", tmp_path / "coded.sfv", "-q", 10, stdin=stream)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 1 and b"standard input: ends within picture 2" in errors


def test_the_crop_of_the_container_is_applied(given: Any, coded: Any, ffmpeg: Any, tmp_path: Path) -> None:
    source = given("crop.mkv")
    with SfvReader(coded(source)) as reader:
        assert (reader.header.video.width, reader.header.video.height) == (72, 56)
    shown = tmp_path / "shown.yuv"
    ffmpeg("-i", source, "-frames:v", 1, "-f", "rawvideo", "-pix_fmt", "yuv420p", shown)
    with open_video(source) as reader:
        planes = next(iter(reader)).planes
    assert b"".join(plane.tobytes() for plane in planes) == shown.read_bytes()


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_hdr_metadata_come_back(container: str, given: Any, coded: Any, scaleflow: Command, tmp_path: Path) -> None:
    source, decoded = given("hdr10.mp4"), tmp_path / f"decoded.{container}"
    assert scaleflow("decode", coded(source), decoded).code == 0
    with open_video(source) as before, open_video(decoded) as after:
        assert after.properties.mastering_display == before.properties.mastering_display != ()
        assert after.properties.content_light_level == before.properties.content_light_level == (1000, 400)
    result = scaleflow("decode", coded(source), tmp_path / "decoded.webm")
    assert result.code == 0 and "no place for the HDR metadata" in result.stderr


def test_hidden_files_are_no_pictures(given: Any, coded: Any) -> None:
    with SfvReader(coded(given("dotfile"))) as reader:
        assert sum(isinstance(item, VideoPacket) for item in reader) == 3


def test_odd_metadata_refuse_no_encode(given: Any, coded: Any) -> None:
    with SfvReader(coded(given("language.mkv"), says="language 'de\\tx'")) as reader:
        assert [stream.language for stream in reader.header.audio] == [""]
    with SfvReader(coded(given("audio17.mkv"), says="has 17 audio streams; the first 16 are kept")) as reader:
        assert len(reader.header.audio) == 16
        assert {item.stream_index for item in reader if isinstance(item, AudioPacket)} == set(range(16))


def test_tta_is_left_out_where_nothing_plays_it(given: Any, coded: Any, scaleflow: Command, tmp_path: Path) -> None:
    decoded = tmp_path / "decoded.mkv"
    result = scaleflow("decode", coded(given("tta.mkv")), decoded)
    assert result.code == 0 and "tta audio cannot be copied into matroska and is left out" in result.stderr
    assert len(times_of(decoded)) == 10


def test_a_cover_is_no_video(given: Any, scaleflow: Command, tmp_path: Path) -> None:
    result = scaleflow("encode", given("only-cover.m4a"), tmp_path / "coded.sfv")
    assert result.code == 1 and "its only picture is a cover" in result.stderr


def test_only_pictures_that_are_written_are_replaced(
    ffmpeg: Any, coded: Any, scaleflow: Command, tmp_path: Path
) -> None:
    clip, folder = tmp_path / "clip.mp4", tmp_path / "ph"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.2", "-pix_fmt", "yuv420p", clip)
    folder.mkdir()
    (folder / "holiday.png").write_bytes(b"mine")
    stream = coded(clip)
    for verb in (("decode", stream), ("roi", "make", clip)):
        finder = ("--from", "motion") if verb[0] == "roi" else ()
        assert scaleflow(*verb, f"{folder}/", "--frames", 2, *finder, "--overwrite").code == 0
        assert (folder / "holiday.png").read_bytes() == b"mine"
        assert len(list(folder.iterdir())) == 3
        refused = scaleflow(*verb, f"{folder}/", "--frames", 2, *finder)
        assert refused.code == 2 and "frame_000001.png: exists already" in refused.stderr


NAMES = ["12:30.mp4", "http:x.mp4", "data:x.mp4", "concat:a.mp4", "file:b.mp4", "pipe:0.mp4", "x%03d.mp4", "a[1].mp4"]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_the_file_of_that_name(
    name: str, ffmpeg: Any, coded: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "names"
    folder.mkdir()
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.4", "-pix_fmt", "yuv420p", folder / "plain.mp4")
    (folder / "plain.mp4").rename(folder / name)
    monkeypatch.chdir(folder)
    with SfvReader(coded(name)) as reader:
        assert sum(isinstance(item, VideoPacket) for item in reader) == 10


def test_a_picture_with_a_pattern_in_its_name(
    ffmpeg: Any, coded: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.08", tmp_path / "x%03d.png")
    (tmp_path / "x001.png").rename(tmp_path / "x%03d.png")
    monkeypatch.chdir(tmp_path)
    with SfvReader(coded("x%03d.png")) as reader:
        assert sum(isinstance(item, VideoPacket) for item in reader) == 1


PLAYLISTS = {
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{clip}\n#EXT-X-ENDLIST\n",
    "list.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{clip}\n#EXT-X-ENDLIST\n",
    "remote.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
    "list.ffconcat": "ffconcat version 1.0\nfile '{clip}'\n",
    "list.mkv": "ffconcat version 1.0\nfile '{clip}'\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_playlists_open_no_other_file(name: str, ffmpeg: Any, scaleflow: Command, tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.4", "-pix_fmt", "yuv420p", tmp_path / "clip.ts")
    (tmp_path / name).write_text(PLAYLISTS[name].format(clip="clip.ts"))
    result = scaleflow("encode", tmp_path / name, tmp_path / "coded.sfv", "-q", 10)
    assert result.code == 1 and "--allow-protocols" in result.stderr
    if name in ("list.m3u8", "list.ffconcat"):
        allowed = scaleflow(
            "encode",
            tmp_path / name,
            tmp_path / "coded.sfv",
            "-q",
            10,
            "--allow-protocols",
            "file",
            "--tolerate-damage",
        )
        assert allowed.code == 0, allowed.stderr


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/x.mp4", "rtsp://127.0.0.1:9/x", "file:///etc/hostname"])
def test_addresses_are_opened_when_allowed_only(address: str, scaleflow: Command, tmp_path: Path) -> None:
    result = scaleflow("encode", address, tmp_path / "coded.sfv")
    assert result.code == 2 and "--allow-protocols" in result.stderr


def test_pictures_go_into_the_current_folder(
    ffmpeg: Any, coded: Any, scaleflow: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, folder = tmp_path / "clip.mp4", tmp_path / "here"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.08", "-pix_fmt", "yuv420p", clip)
    folder.mkdir()
    stream = coded(clip)
    monkeypatch.chdir(folder)
    assert scaleflow("decode", stream, "p%03d.png").code == 0
    assert scaleflow("decode", stream, "50%_%d%%.png").code == 0
    assert sorted(file.name for file in folder.iterdir()) == ["50%_1%.png", "50%_2%.png", "p001.png", "p002.png"]
    refused = scaleflow("decode", stream, "a%d_%d.png")
    assert refused.code == 2 and "one number field" in refused.stderr


def test_gaps_in_numbers_are_said(ffmpeg: Any, coded: Any, tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.2", tmp_path / "f%03d.png")
    (tmp_path / "f003.png").unlink()
    for source in (tmp_path, f"{tmp_path}/f%03d.png", f"{tmp_path}/f*.png"):
        stream = coded(source, says="1 numbers are missing, the first 3")
        with SfvReader(stream) as reader:
            assert sum(isinstance(item, VideoPacket) for item in reader) == 4
        stream.unlink()


def test_orientation_is_kept_of_every_picture(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    colors = np.zeros((48, 64, 3), np.uint8)
    colors[:24] = 255
    folder = tmp_path / "phone"
    folder.mkdir()
    upright, turned = image.fromarray(colors), image.fromarray(np.ascontiguousarray(np.rot90(colors)))
    upright.save(folder / "p1.jpg", quality=95)
    exif = image.Exif()
    exif[0x0112] = 6  # To be turned clockwise by a quarter.
    turned.save(folder / "p2.jpg", quality=95, exif=exif)
    with open_video(folder) as reader:
        first, second = (picture for picture in reader.items() if isinstance(picture, Picture))
    assert first.planes[0].shape == second.planes[0].shape
    assert np.abs(first.planes[0].astype(int) - second.planes[0]).max() < 16


@pytest.mark.skipif(sys.platform == "win32", reason="names with colons")
def test_a_folder_with_brackets_in_its_name(ffmpeg: Any, coded: Any, tmp_path: Path) -> None:
    folder = tmp_path / "take [1]"
    folder.mkdir()
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.12", folder / "f%03d.png")
    with SfvReader(coded(f"{folder}/f*.png")) as reader:
        assert sum(isinstance(item, VideoPacket) for item in reader) == 3
