"""A folder as people have it: real clips, damaged ones, other files, cuts, still pictures."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError, UsageError
from scaleflow.training.data import video_index
from scaleflow.training.data.augmentation import crop_at_random
from scaleflow.training.data.clip import Clip, ClipRequest, Plane
from scaleflow.training.data.video_folder import STILL_WEIGHT, VideoFolder, halve_area
from scaleflow.training.data.video_index import INDEX_NAME, index_folder
from tests.codec.conftest import ffmpeg, packaged_clip
from tests.training.conftest import SHARED_TRAIN

__all__ = ["ffmpeg"]

PLAIN = ClipRequest(frames=3, crop=64, flip=False, reverse=False)
Ffmpeg = Callable[..., None]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Ffmpeg) -> Path:
    """``moving`` (40 pictures, a key picture every 24), ``cut`` (two scenes of 20), ``still`` (40 times the same)."""
    folder = tmp_path_factory.mktemp("clips")
    bikes, bunny = packaged_clip("bikes.mp4"), packaged_clip("bigbuckbunny.mp4")
    x264 = ("-c:v", "libx264", "-crf", 12, "-g", 24, "-an")
    ffmpeg("-i", bikes, "-frames:v", 40, "-vf", "scale=160:96", *x264, folder / "moving.mp4")
    graph = (
        "[0:v]trim=end_frame=20,scale=160:96,setsar=1,fps=25[a];[1:v]trim=end_frame=20,scale=160:96,setsar=1,fps=25[b]"
    )
    joined = ("-filter_complex", f"{graph};[a][b]concat=n=2", "-frames:v", 40)
    ffmpeg("-i", bikes, "-i", bunny, *joined, *x264, folder / "cut.mp4")
    ffmpeg("-i", bikes, "-vf", "trim=end_frame=1,scale=160:96,loop=39:1", *x264, folder / "still.mp4")
    return folder


@pytest.fixture
def folder(clips: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "videos"
    shutil.copytree(clips, copy)
    return copy


def lumas(path: Path) -> list[Plane]:
    with open_video(path) as reader:
        return [picture.planes[0] for picture in reader]


def numbers_of(clip: Plane, pictures: list[Plane]) -> list[int]:
    """Which pictures the crops of a clip come from: the ones that hold them exactly."""
    found = []
    for crop in clip[:, 0]:
        windows = [np.lib.stride_tricks.sliding_window_view(picture, crop.shape) for picture in pictures]
        matches = [
            n
            for n, window in enumerate(windows)
            if (window[::2, ::2, ::13, ::13] == crop[::13, ::13]).all((2, 3)).any()
        ]
        assert matches
        found.append(matches[0])
    return found


def test_unreadable_files_are_named_skipped_and_counted(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = (folder / "moving.mp4").read_bytes()
    (folder / "cut_off.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.mp4").touch()
    (folder / "below").mkdir()
    (folder / "below" / "notes.txt").write_text("these are notes, no video")
    with caplog.at_level(logging.WARNING):
        source = VideoFolder(folder, 64)
    for name in ("cut_off.mp4", "empty.mp4", "below/notes.txt"):
        assert any("left out" in record.message and name in record.message for record in caplog.records)
    assert f"{folder}: 3 of 6 files are no videos that can be read" in caplog.text
    assert source.describe().startswith("3 videos with 120 pictures")


def test_damage_within_a_video_leaves_what_comes_before(folder: Path, ffmpeg: Ffmpeg) -> None:
    ffmpeg("-i", folder / "moving.mp4", "-c", "copy", "-f", "mpegts", folder / "stream.ts")
    data = (folder / "stream.ts").read_bytes()
    (folder / "stream.ts").write_bytes(data[: len(data) * 2 // 3])
    record = next(one for one in index_folder(folder) if one.name == "stream.ts")
    assert 15 <= record.pictures < 40
    source = VideoFolder(folder, 64)
    for index in range(len(source)):
        source.read(index, PLAIN, np.random.default_rng(0))


def test_no_video_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no video that can be read"):
        VideoFolder(tmp_path, 64)
    with pytest.raises(UsageError, match="no such folder of videos"):
        VideoFolder(tmp_path / "none", 64)


def test_small_videos_are_left_out(folder: Path, ffmpeg: Ffmpeg, caplog: pytest.LogCaptureFixture) -> None:
    ffmpeg("-i", folder / "moving.mp4", "-vf", "scale=80:48", "-c:v", "ffv1", folder / "small.mkv")
    with caplog.at_level(logging.WARNING):
        assert VideoFolder(folder, 64).describe().startswith("3 videos")
    assert "too small for crops of 64: small.mkv" in caplog.text and "1 of 4 videos are too small" in caplog.text
    with pytest.raises(DataError, match=r"all 4 videos are too small for crops of 128: lower data\.crop"):
        VideoFolder(folder, 128)


def test_the_index_is_built_once_and_follows_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = video_index.open_video

    def noting(path: Path, **options: object) -> object:
        read.append(Path(path).name)
        return original(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(video_index, "open_video", noting)
    first = index_folder(folder)
    assert set(read) == {"moving.mp4", "cut.mp4", "still.mp4"}
    read.clear()
    assert index_folder(folder) == first and not read
    os.utime(folder / "cut.mp4", ns=(1, 1))
    index_folder(folder)
    assert set(read) == {"cut.mp4"}
    (folder / INDEX_NAME).write_text('{"version": 1, "videos": [{"name": 3}]}')
    read.clear()
    assert [one.changes for one in index_folder(folder)] == [one.changes for one in first] and read


def test_the_index_goes_where_it_is_told(folder: Path, tmp_path: Path) -> None:
    VideoFolder(folder, 64, index_path=tmp_path / "elsewhere" / "index.json")
    assert (tmp_path / "elsewhere" / "index.json").exists() and not (folder / INDEX_NAME).exists()


def test_a_folder_that_cannot_be_written_is_indexed_in_the_cache(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # whoever runs the tests may write anywhere
    first = index_folder(folder)
    assert not (folder / INDEX_NAME).exists() and len(list((tmp_path / "cache" / "scaleflow").iterdir())) == 1
    monkeypatch.setattr(video_index, "open_video", lambda *a, **k: pytest.fail("a video was read again"))
    assert index_folder(folder) == first


def test_clips_stay_within_a_scene(folder: Path) -> None:
    for name in ("moving.mp4", "still.mp4"):
        (folder / name).unlink()
    (record,) = index_folder(folder)
    assert record.cuts == (20,)
    source, pictures = VideoFolder(folder, 64), lumas(folder / "cut.mp4")
    request = ClipRequest(frames=6, crop=64, stride=3, flip=False)
    sides = set()
    for seed in range(12):
        clip = source.read(seed % len(source), request, np.random.default_rng(seed))
        numbers = numbers_of(clip.planes[0], pictures)
        assert len({number >= 20 for number in numbers}) == 1
        sides.add(numbers[0] >= 20)
    assert sides == {False, True}


def test_seeking_gives_what_decoding_from_the_start_does(folder: Path) -> None:
    records = {record.name: record for record in index_folder(folder)}
    assert records["moving.mp4"].seekable and records["moving.mp4"].pictures == 40
    source, pictures = VideoFolder(folder, 64), lumas(folder / "moving.mp4")
    for name in ("cut.mp4", "still.mp4"):
        (folder / name).unlink()
    source = VideoFolder(folder, 64)
    first = set()
    for seed in range(10):
        clip = source.read(seed % len(source), PLAIN, np.random.default_rng(seed))
        numbers = numbers_of(clip.planes[0], pictures)
        assert numbers == list(range(numbers[0], numbers[0] + 3))
        first.add(numbers[0])
    assert max(first) > 24 and min(first) < 16


@pytest.mark.parametrize(("codec", "options"), [("x264", "bframes=5"), ("x265", "bframes=5:log-level=error")])
def test_open_groups_of_pictures(tmp_path: Path, ffmpeg: Ffmpeg, codec: str, options: str) -> None:
    """Seeking to the last pictures before a key picture arrives at the key picture, as x265 codes by default."""
    open_groups = (f"-{codec}-params", f"open-gop=1:keyint=12:min-keyint=12:scenecut=0:{options}")
    filters = ("-frames:v", 40, "-vf", "crop=256:256,scale=64:64", "-c:v", f"lib{codec}", *open_groups, "-an")
    ffmpeg("-i", packaged_clip("bikes.mp4"), *filters, tmp_path / "a.mp4")
    (record,) = index_folder(tmp_path)
    assert record.seekable
    late = [number for number in range(40) if not arrives(tmp_path / "a.mp4", record.times[number])]
    assert 2 <= len(late) <= 10
    source, pictures = VideoFolder(tmp_path, 64), [luma.tobytes() for luma in lumas(tmp_path / "a.mp4")]
    request = ClipRequest(frames=2, crop=64, flip=False, reverse=False)
    seen = set()
    for seed in range(150):
        generator = np.random.default_rng(seed)
        first, second = source.read(seed % len(source), request, generator).planes[0]
        assert pictures.index(second.tobytes()) == pictures.index(first.tobytes()) + 1
        seen.add(pictures.index(first.tobytes()))
    assert set(late) - {39} <= seen


def arrives(path: Path, time: int) -> bool:
    """Whether seeking to a time gives the picture of that time."""
    with open_video(path, threads=1) as reader:
        reader.skip_to(time)
        picture = next(iter(reader), None)
        return picture is not None and picture.pts == time


@pytest.mark.parametrize("name", ["tokenflow_wolf.mp4", "intel_asl_milk.mkv", "udacity_vd_test_video.mp4"])
def test_seeking_in_clips_of_cameras(tmp_path: Path, name: str) -> None:
    """With an index that says they cannot be sought, all is decoded from the start: the clips are the same."""
    if not (SHARED_TRAIN / name).exists():
        pytest.skip(f"needs {name} of ../shared/data/train")
    (tmp_path / name).symlink_to(SHARED_TRAIN / name)
    sought = VideoFolder(tmp_path, 64)
    index = json.loads((tmp_path / INDEX_NAME).read_text())
    assert index["videos"][0]["seekable"]
    index["videos"][0]["seekable"] = False
    (tmp_path / INDEX_NAME).write_text(json.dumps(index))
    decoded = VideoFolder(tmp_path, 64)
    for place in {len(sought) // 2, len(sought) - 1}:
        one, other = (source.read(place, PLAIN, np.random.default_rng(place)) for source in (sought, decoded))
        assert all(np.array_equal(a, b) for a, b in zip(one.planes, other.planes, strict=True))


def test_takes_of_one_scene_share_their_weight(folder: Path) -> None:
    """Takes are told by the beginnings of names, but not by those of folders."""
    for name in ("a_long_name_1.mp4", "a_long_name_2.mp4", "a_long_name_3.mp4"):
        shutil.copy(folder / "moving.mp4", folder / name)
    (folder / "a_folder_with_many").mkdir()
    for name in ("cut.mp4", "still.mp4"):
        (folder / name).rename(folder / "a_folder_with_many" / name)
    source = VideoFolder(folder, 64)
    shares: dict[str, float] = {}
    for index, weight in enumerate(source.weights()):
        name = source.file_of(index).name
        shares[name] = shares.get(name, 0) + weight
    assert shares == pytest.approx(
        {"moving.mp4": 1, "cut.mp4": 1, "still.mp4": 1} | {f"a_long_name_{number}.mp4": 0.5 for number in (1, 2, 3)}
    )


def test_still_places_are_rarer(folder: Path, tmp_path: Path, ffmpeg: Ffmpeg) -> None:
    half = tmp_path / "half"
    half.mkdir()
    joined = ("-filter_complex", "[0:v]setsar=1,fps=25[a];[1:v]setsar=1,fps=25[b];[a][b]concat=n=2")
    ffmpeg("-i", folder / "still.mp4", "-i", folder / "moving.mp4", *joined, "-c:v", "ffv1", half / "half.mkv")
    weights = VideoFolder(half, 64).weights()
    assert sum(weights) == pytest.approx(1)
    assert weights[0] == pytest.approx(STILL_WEIGHT * weights[-1])


def test_halving_is_the_rounded_mean(folder: Path) -> None:
    plane = np.random.default_rng(0).integers(0, 256, (2, 3, 9, 7), dtype=np.uint8)
    halved = halve_area(plane)
    assert halved.shape == (2, 3, 4, 3)
    block = plane[1, 2, 4:6, 2:4].astype(int)
    assert halved[1, 2, 2, 1] == (block.sum() + 2) // 4


def test_large_compressed_sources_are_halved(tmp_path: Path, ffmpeg: Ffmpeg) -> None:
    ffmpeg("-i", packaged_clip("bigbuckbunny.mp4"), "-frames:v", 8, "-c", "copy", tmp_path / "a.mp4")
    source, whole = VideoFolder(tmp_path, 192), lumas(tmp_path / "a.mp4")
    unhalved = VideoFolder(tmp_path, 192, halve=False)
    request = ClipRequest(frames=1, crop=192, flip=False, reverse=False)
    halved = [halve_area(picture[None, None])[0, 0] for picture in whole]
    for seed in range(3):
        assert numbers_of(source.read(0, request, np.random.default_rng(seed)).planes[0], halved)
        assert numbers_of(unhalved.read(0, request, np.random.default_rng(seed)).planes[0], whole)


def test_a_video_that_changed_since_is_named(folder: Path) -> None:
    source = VideoFolder(folder, 64)
    shutil.copy(folder / "still.mp4", folder / "moving.mp4.new")
    whole = (folder / "moving.mp4").read_bytes()
    (folder / "moving.mp4").write_bytes(whole[: len(whole) // 2])
    places = range(len(source))
    failures = []
    for index in places:
        try:
            source.read(index, PLAIN, np.random.default_rng(1))
        except DataError as error:
            failures.append(str(error))
    assert failures and all("moving.mp4" in failure for failure in failures) and len(failures) < len(source)


def test_crops_of_halved_pictures_whose_chroma_lost_a_line() -> None:
    """718 lines become 359, and 359 of chroma 179: an odd height whose chroma is rounded down."""
    clip = Clip((halve_area(plane_of(718, 1)), halve_area(plane_of(359, 2))))
    assert [plane.shape for plane in clip.planes] == [(1, 1, 359, 359), (1, 2, 179, 179)]
    for seed in range(20):
        cropped = crop_at_random(clip, PLAIN, np.random.default_rng(seed))
        assert [plane.shape for plane in cropped.planes] == [(1, 1, 64, 64), (1, 2, 32, 32)]
        # chroma holds half the number of its line, as luma does of its own
        luma, chroma = (plane[0, 0, :, 0].astype(int) for plane in cropped.planes)
        assert np.array_equal(luma[::2] // 2 % 128, chroma % 128)


def plane_of(side: int, channels: int) -> Plane:
    """Each sample of a square is half the number of its line, in eight bits: after halving, the number itself."""
    lines = (np.arange(side) // 2).astype(np.uint8)
    return np.broadcast_to(lines[None, None, :, None], (1, channels, side, side)).copy()
