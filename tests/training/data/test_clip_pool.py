"""Clips cut in passes over videos, pools that are refilled, and mixtures of sources."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scaleflow.errors import DataError, UsageError
from scaleflow.training.data.clip import Clip, ClipRequest
from scaleflow.training.data.clip_pool import ClipPool, remove_oldest, write_packed
from scaleflow.training.data.configuration import DataConfig, DataPart
from scaleflow.training.data.fill_pool import PhotographPart, PoolConfig, VideoPart, fill
from scaleflow.training.data.mixture import Mixture
from scaleflow.training.data.packed import MANIFEST, PackedClips
from scaleflow.training.data.sources import open_source
from scaleflow.training.data.video_sweep import SweepSettings, VideoSweep

SETTINGS = SweepSettings(frames=3, side=96)


@pytest.fixture(scope="module")
def sweep(bikes: Path, tmp_path_factory: pytest.TempPathFactory) -> VideoSweep:
    folder = tmp_path_factory.mktemp("videos")
    (folder / "bikes.mp4").symlink_to(bikes)
    return VideoSweep(folder, SETTINGS, folder.parent / "index.json")


def flat(value: int, count: int = 1) -> list[Clip]:
    """Clips of one shade each."""
    shades = [np.full((2, channels, side, side), value, np.uint8) for channels, side in ((1, 32), (2, 16))]
    return [Clip(tuple(shades))] * count


def test_a_pass_cuts_many_different_clips(sweep: VideoSweep) -> None:
    clips = list(islice(sweep.clips(np.random.default_rng(0)), 40))
    assert len({clip.planes[0].tobytes() for clip in clips}) == 40
    for clip in clips:
        luma, chroma = clip.planes
        assert luma.shape == (3, 1, 96, 96) and chroma.shape == (3, 2, 48, 48)
        assert luma.std() > 1
    assert "1 videos" in sweep.describe()


def test_what_is_held_out_is_another_part(bikes: Path, tmp_path: Path) -> None:
    """Windows of training end before those that are held out begin."""
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "bikes.mp4").symlink_to(bikes)
    settings = SweepSettings(frames=3, side=96, held_tail=0.4)
    sweep = VideoSweep(tmp_path / "videos", settings, tmp_path / "index.json")
    record = sweep._records[0]
    generator = np.random.default_rng(0)
    for start, end in record.scenes():
        border = end - int((end - start) * 0.4)
        for held_out in (False, True):
            windows = [w for w in sweep._windows(record, generator, held_out) if start <= w.first < end]
            assert all((w.first >= border) == held_out and w.numbers[-1] < end for w in windows)
            assert all(held_out or w.numbers[-1] < border for w in windows)
    whole = VideoSweep(tmp_path / "videos", SweepSettings(3, 96, held_videos=("bikes.mp4",)), tmp_path / "index.json")
    assert not list(whole._windows(record, generator, held_out=False))


def test_sweeps_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="multiple of 16"):
        SweepSettings(3, 100)
    with pytest.raises(UsageError, match="no such folder"):
        VideoSweep(tmp_path / "nothing", SETTINGS)
    with pytest.raises(DataError, match="no video"):
        VideoSweep(tmp_path, SETTINGS, tmp_path / "index.json")


def test_pools_find_new_parts_and_let_old_ones_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scaleflow.training.data.clip_pool.LOOK_EVERY", 10)
    write_packed(iter(flat(10, 3)), tmp_path / "a", 3, "ten")
    pool = ClipPool(tmp_path)
    request, generator = ClipRequest(1, 32), np.random.default_rng(0)

    def shades(reads: int) -> Counter[int]:
        return Counter(int(pool.read(0, request, generator).planes[0].mean()) for _ in range(reads))

    assert shades(5) == {10: 5}
    write_packed(iter(flat(20, 9)), tmp_path / "b", 9, "twenty")
    assert set(shades(60)) == {10, 20}
    remove_oldest(tmp_path, 1)
    assert [path.parent.name for path in tmp_path.glob(f"*/{MANIFEST}")] == ["b"]
    shades(10)
    assert shades(20) == {20: 20}


def test_a_part_appears_when_it_is_complete(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only 2 of 3"):
        write_packed(iter(flat(1, 2)), tmp_path / "a", 3, "")
    assert not list(tmp_path.iterdir())
    with pytest.raises(DataError, match="no packed clips"):
        ClipPool(tmp_path)
    write_packed(iter(flat(1, 2)), tmp_path / "a", 2, "")
    assert PackedClips(tmp_path / "a").frames == 2


def test_a_mixture_takes_its_shares(tmp_path: Path) -> None:
    for name, value in (("a", 10), ("b", 20)):
        write_packed(iter(flat(value, 4)), tmp_path / name / "part", 4, name)
    parts = tuple(DataPart("pool", str(tmp_path / name), share) for name, share in (("a", 1.0), ("b", 3.0)))
    source = open_source(DataConfig(kind="mixture", parts=parts, crop=64))
    assert isinstance(source, Mixture) and "75%" in source.describe()
    weights, generator = np.array(source.weights()), np.random.default_rng(0)
    chosen = generator.choice(len(source), 400, p=weights / weights.sum())
    request = ClipRequest(1, 32)
    shades = [int(source.read(int(place), request, generator).planes[0].mean()) for place in chosen]
    assert 250 < shades.count(20) < 350
    assert source.file_of(0) == tmp_path / "a" and source.file_of(len(source) - 1) == tmp_path / "b"


def test_parts_are_of_mixtures_only() -> None:
    with pytest.raises(UsageError, match=r"data\.parts"):
        DataConfig(kind="mixture")
    with pytest.raises(UsageError, match=r"data\.parts"):
        DataConfig(kind="pool", path="a", parts=(DataPart("pool", "b"),))


def test_pools_are_filled_in_turn(bikes: Path, tmp_path: Path) -> None:
    for folder in ("videos-in", "pictures"):
        (tmp_path / folder).mkdir()
    (tmp_path / "videos-in" / "bikes.mp4").symlink_to(bikes)
    samples = np.random.default_rng(0).integers(0, 256, (20, 20, 3)).astype(np.uint8)
    Image.fromarray(samples).resize((200, 200)).save(tmp_path / "pictures" / "noise.png")
    config = PoolConfig(
        VideoPart(str(tmp_path / "videos-in"), str(tmp_path / "index.json")),
        PhotographPart(str(tmp_path / "pictures")),
        {"videos": 1, "synthetic": 1},
        frames=2,
        side=64,
        clips_of_part=2,
        seconds=0.0,
    )
    fill(config, tmp_path)
    assert not list(tmp_path.glob(f"*/*/{MANIFEST}"))
    fill(replace(config, seconds=4.0), tmp_path)
    for name in config.parts:
        pool = ClipPool(tmp_path / name)
        assert "A pool of 2 packed clips" in pool.describe()
        assert pool.read(0, ClipRequest(2, 64), np.random.default_rng(0)).planes[0].shape == (2, 1, 64, 64)
