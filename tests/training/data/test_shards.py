"""Tar files of crops: what they hold, and damage that is named."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from scaleflow.errors import DataError, UsageError
from scaleflow.training.data.shards import ShardedClips
from tests.training.data.conftest import PLAIN


def test_shards_are_named_as_webdataset_does(shards: Path) -> None:
    with tarfile.open(shards / "000001.tar") as tar:
        names = tar.getnames()
        content = tar.extractfile(names[0])
        assert content is not None
        assert np.load(io.BytesIO(content.read())).shape == (5, 1, 64, 64)
    assert names[:3] == ["000000004.luma.npy", "000000004.chroma.npy", "000000005.luma.npy"]


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


def test_shards_that_end_between_samples_are_damaged(shards: Path, tmp_path: Path) -> None:
    """They would look like a smaller set; so does a broken header to Python's tarfile, which takes it for the end."""
    whole = (shards / "000000.tar").read_bytes()
    with tarfile.open(shards / "000000.tar") as tar:
        second = tar.getmembers()[2].offset
    for content in (whole[:second], whole[: second + 512], whole[:second] + b"U" * 512 + whole[second + 512 :]):
        (tmp_path / "a.tar").write_bytes(content)
        with pytest.raises(DataError, match=r"a\.tar: "):
            ShardedClips(tmp_path)


def test_damage_within_a_shard_is_found_when_it_is_read(shards: Path, tmp_path: Path) -> None:
    whole = (shards / "000000.tar").read_bytes()
    with tarfile.open(shards / "000000.tar") as tar:
        luma, chroma = tar.getmembers()[:2]
    header = whole[chroma.offset_data : chroma.offset_data + 128]
    for start, content in ((luma.offset_data, bytes(64)), (chroma.offset_data, header.replace(b"(5,", b"(4,"))):
        (tmp_path / "a.tar").write_bytes(whole[:start] + content + whole[start + len(content) :])
        with pytest.raises(DataError, match=r"a\.tar: .*at byte"):
            ShardedClips(tmp_path).read(0, PLAIN, np.random.default_rng(0))


def test_unfinished_shards_and_those_of_other_programs(shards: Path, tmp_path: Path) -> None:
    with tarfile.open(shards / "000000.tar") as tar:
        tar.extractall(tmp_path / "files", filter="data")
        count = len(tar.getnames()) // 2
    (tmp_path / "other").mkdir()
    (tmp_path / "files" / "000000000.json").write_text("{}")
    with tarfile.open(tmp_path / "other" / "a.tar", "w") as tar:
        tar.add(tmp_path / "files", ".")  # as tar -C files -cf a.tar . does: folders, names that begin with ./
    ours, theirs = ShardedClips(shards), ShardedClips(tmp_path / "other")
    assert len(theirs) == count
    for index in range(count):
        one, other = (source.read(index, PLAIN, np.random.default_rng(0)) for source in (ours, theirs))
        assert np.array_equal(one.planes[0], other.planes[0])
    (tmp_path / "other" / "000001.tar.partial").touch()
    with pytest.raises(DataError, match="packing was not finished: delete it and pack again"):
        ShardedClips(tmp_path / "other")
