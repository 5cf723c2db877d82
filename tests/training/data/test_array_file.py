"""Arrays of others: no pickles, and whatever is wrong with their header is one error."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from scaleflow.errors import DataError, UsageError
from scaleflow.training.data.array_file import read_array
from scaleflow.training.data.packed import FORMAT, PackedClips


def test_arrays_come_back(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(6).reshape(2, 3))
    assert read_array(tmp_path / "a.npy", mmap_mode="r").tolist() == [[0, 1, 2], [3, 4, 5]]
    assert read_array(io.BytesIO((tmp_path / "a.npy").read_bytes())).shape == (2, 3)


@pytest.mark.parametrize("kind", ["objects", "null", "open bracket", "archive", "empty", "text"])
def test_other_content_is_refused(tmp_path: Path, kind: str) -> None:
    buffer = io.BytesIO()
    if kind == "objects":
        np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    elif kind == "archive":
        np.savez(buffer, a=np.zeros(3))
    else:
        np.save(buffer, np.zeros((2, 2), np.uint8))
    changed = {"null": (b"descr", b"des\0r"), "open bracket": (b"}", b"("), "text": (b"\x93NUMPY", b"no nump")}.get(
        kind
    )
    data = buffer.getvalue().replace(*changed) if changed else buffer.getvalue()
    (tmp_path / "luma.npy").write_bytes(b"" if kind == "empty" else data)
    np.save(tmp_path / "chroma.npy", np.zeros(3))
    (tmp_path / "packed.json").write_text(f'{{"format": "{FORMAT}"}}')
    with pytest.raises(DataError, match=r"is no array|is an archive"):
        read_array(tmp_path / "luma.npy")
    with pytest.raises(DataError, match="the packed crops are damaged"):
        PackedClips(tmp_path)
    (tmp_path / "luma.npy").unlink()
    with pytest.raises(UsageError, match=r"holds no luma\.npy"):
        PackedClips(tmp_path)
