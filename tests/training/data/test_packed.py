"""Crops cut once: arrays and tar files give the same clips, and damage is named."""

from __future__ import annotations

import io
import json
from pathlib import Path

import av
import numpy as np
import pytest

from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError, UsageError
from scaleflow.training.data.clip import ClipRequest
from scaleflow.training.data.packed import MANIFEST, PackedClips, pack_clips
from scaleflow.training.data.shards import ShardedClips, write_shards
from scaleflow.training.data.vimeo import VimeoSource
from tests.training.data.conftest import COUNT, CUT, PLAIN


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


def test_rgb_is_what_the_reader_gives_for_the_same_samples(packed: Path, tmp_path: Path) -> None:
    source = PackedClips(packed)
    requests = [ClipRequest(3, 64, form, flip=False, reverse=False) for form in ("yuv420", "rgb")]  # type: ignore[arg-type]
    (luma, chroma), (rgb,) = (source.read(1, request, np.random.default_rng(0)).planes for request in requests)
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25, width=64, height=64, pix_fmt="yuv420p")
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1  # BT.709, limited
        for y, c in zip(luma, chroma, strict=True):
            samples = np.concatenate((y.reshape(-1), c.reshape(-1))).reshape(96, 64)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(samples, "yuv420p")))
        container.mux(stream.encode())
    with open_video(path, working_format="rgb") as reader:
        assert (reader.properties.color_matrix, reader.properties.color_range) == ("bt709", "tv")
        pictures = np.stack([np.stack(picture.planes) for picture in reader])
    assert np.abs(pictures.astype(int) - rgb).max() <= 2


def test_longer_or_larger_than_packed(packed: Path, shards: Path) -> None:
    for source in (PackedClips(packed), ShardedClips(shards)):
        with pytest.raises(UsageError, match=r"6 pictures are asked for, packed clips have 5.*again with 6 pictures"):
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


def array_bytes(array: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_damaged_arrays(packed: Path, tmp_path: Path) -> None:
    for name, content, words in (
        (MANIFEST, b"{", "damaged"),
        (MANIFEST, json.dumps({"format": "other"}).encode(), "another version"),
        (MANIFEST, b"[1]", "another version"),
        ("luma.npy", b"", "damaged"),
        ("luma.npy", array_bytes(np.uint8(3)), "damaged"),
        ("luma.npy", array_bytes(np.zeros((COUNT, 5, 1, 64, 64), np.float32)), "damaged"),
        ("chroma.npy", array_bytes(np.zeros((COUNT, 4, 2, 32, 32), np.uint8)), "damaged"),
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
