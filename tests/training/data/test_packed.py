"""Crops cut once: arrays and tar files give the same clips, and damage is named."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from codec.errors import DataError, UsageError
from training.configuration import DataConfig
from training.data.clip import ClipRequest
from training.data.packed import MANIFEST, PackedClips, pack_clips
from training.data.shards import ShardedClips, write_shards
from training.data.vimeo import VimeoSource

PLAIN = ClipRequest(frames=3, crop=64, flip=False, reverse=False)
CUT = DataConfig(kind="vimeo", crop=64, flip=False, reverse=False)
COUNT = 10


@pytest.fixture(scope="module")
def packed(vimeo_septuplets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "packed"
    done: list[int] = []
    pack_clips(VimeoSource(vimeo_septuplets), folder, COUNT, 5, CUT, 3, done.append)
    assert done == list(range(1, COUNT + 1))
    return folder


@pytest.fixture(scope="module")
def shards(vimeo_septuplets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "shards"
    write_shards(VimeoSource(vimeo_septuplets), folder, COUNT, 4, 5, CUT, 3)
    return folder


def test_both_forms_hold_the_same_clips(packed: Path, shards: Path) -> None:
    ours, theirs = PackedClips(packed), ShardedClips(shards)
    assert len(ours) == len(theirs) == COUNT
    assert sorted(path.name for path in shards.iterdir()) == ["000000.tar", "000001.tar", "000002.tar"]
    kinds = set()
    for index in range(COUNT):
        first, second = (source.read(index, PLAIN, np.random.default_rng(index)) for source in (ours, theirs))
        for one, other in zip(first.planes, second.planes, strict=True):
            assert np.array_equal(one, other)
        kinds.add(first.planes[0].tobytes())
    assert len(kinds) > COUNT // 2


def test_shards_are_named_as_webdataset_does(shards: Path) -> None:
    with tarfile.open(shards / "000001.tar") as tar:
        names = tar.getnames()
        content = tar.extractfile(names[0])
        assert content is not None
        assert np.load(io.BytesIO(content.read())).shape == (5, 1, 64, 64)
    assert names[:3] == ["000000004.luma.npy", "000000004.chroma.npy", "000000005.luma.npy"]


def test_rgb_is_what_a_reader_would_give(packed: Path) -> None:
    """BT.709, but for how chroma is interpolated."""
    source = PackedClips(packed)
    request = ClipRequest(frames=2, crop=64, working_format="rgb", flip=False, reverse=False)
    (rgb,) = source.read(0, request, np.random.default_rng(0)).planes
    luma, chroma = source.read(0, ClipRequest(2, 64, flip=False, reverse=False), np.random.default_rng(0)).planes
    assert rgb.shape == (2, 3, 64, 64)
    up = np.repeat(np.repeat(chroma.astype(float), 2, 2), 2, 3) - 128
    y = (luma[:, 0].astype(float) - 16) * 255 / 219
    blue, red = up[:, 0] * 255 / 224, up[:, 1] * 255 / 224
    expected = np.stack([y + 1.5748 * red, y - 0.187324 * blue - 0.468124 * red, y + 1.8556 * blue], 1).clip(0, 255)
    assert np.abs(rgb - expected).mean() < 1 and np.abs((rgb - expected).mean((2, 3))).max() < 0.3


def test_longer_or_larger_than_packed(packed: Path, shards: Path) -> None:
    for source in (PackedClips(packed), ShardedClips(shards)):
        with pytest.raises(UsageError, match=r"6 pictures are asked for, packed clips have 5.*--frames 6"):
            source.read(0, ClipRequest(frames=6, crop=64), np.random.default_rng(0))
        with pytest.raises(DataError, match="too small for crops of 128"):
            source.read(0, ClipRequest(frames=2, crop=128), np.random.default_rng(0))


def test_an_interrupted_packing_leaves_nothing(vimeo_septuplets: Path, tmp_path: Path) -> None:
    def stop(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    source = VimeoSource(vimeo_septuplets)
    for name in ("packed", "shards"):
        with pytest.raises(KeyboardInterrupt):
            if name == "packed":
                pack_clips(source, tmp_path / name, COUNT, 5, CUT, 3, stop)
            else:
                write_shards(source, tmp_path / name, COUNT, 1, 5, CUT, 3, stop)
        assert not (tmp_path / name).exists()


def test_folders_that_hold_something_are_refused(vimeo_septuplets: Path, packed: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in packed.iterdir()}
    for write in (pack_clips, lambda s, f, c, *rest: write_shards(s, f, c, 4, *rest)):
        with pytest.raises(UsageError, match="is not empty; choose another folder"):
            write(VimeoSource(vimeo_septuplets), packed, COUNT, 5, CUT, 3)
    assert before == {path: path.stat().st_mtime_ns for path in packed.iterdir()}


def test_damaged_arrays(packed: Path, tmp_path: Path) -> None:
    for name, content, words in (
        (MANIFEST, b"{", "damaged"),
        (MANIFEST, json.dumps({"format": "other"}).encode(), "another version"),
        ("luma.npy", b"\x93NUMPY", "damaged"),
        ("chroma.npy", (packed / "luma.npy").read_bytes(), "damaged"),
        ("luma.npy", (packed / "luma.npy").read_bytes()[:5000], "damaged"),
    ):
        copy = tmp_path / f"{name}{len(content)}"
        copy.mkdir()
        for path in packed.iterdir():
            (copy / path.name).write_bytes(content if path.name == name else path.read_bytes())
        with pytest.raises(DataError, match=words):
            PackedClips(copy)
        (copy / name).unlink()
        with pytest.raises(UsageError, match=f"holds no {name}"):
            PackedClips(copy)


def test_damaged_shards(shards: Path, tmp_path: Path) -> None:
    whole = (shards / "000000.tar").read_bytes()
    path = tmp_path / "a.tar"
    for content, words in ((whole[: len(whole) // 2], "damaged tar file|incomplete"), (b"no tar", "damaged tar file")):
        path.write_bytes(content)
        with pytest.raises(DataError, match=words):
            ShardedClips(tmp_path)
    with tarfile.open(path, "w") as tar, tarfile.open(shards / "000000.tar") as original:
        member = original.next()
        assert member is not None
        tar.addfile(member, original.extractfile(member))
    with pytest.raises(DataError, match=r"sample 000000000 has no \.chroma\.npy"):
        ShardedClips(tmp_path)
    path.unlink()
    with pytest.raises(UsageError, match=r"holds no \.tar files"):
        ShardedClips(tmp_path)
