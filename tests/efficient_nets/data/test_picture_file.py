"""Pictures that Pillow stumbles on."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scaleflow.efficient_nets.data.label_maps import read_labels
from scaleflow.efficient_nets.data.picture_file import read_picture, read_samples
from scaleflow.errors import DataError


def png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 4, (40, 40)).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_whole_ones_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    mode, samples = read_samples(tmp_path / "a.png")
    assert mode == "L" and samples.shape == (40, 40)
    assert read_picture(tmp_path / "a.png").shape == (3, 40, 40)
    assert read_labels(tmp_path / "a.png", 4, None).shape == (40, 40)


@pytest.mark.parametrize("kind", ["chunk", "cut", "empty", "size", "folder", "text"])
def test_damaged_ones_are_one_error(tmp_path: Path, kind: str) -> None:
    path, data = tmp_path / "a.png", png()
    if kind == "folder":
        path.mkdir()
    else:
        place = data.index(b"IDAT")
        size = b"\x7f\xff\xff\xff" * 2
        contents = {
            "chunk": data[:place] + b"\xf4\xfe\x0f\x00" + data[place + 4 :],
            "cut": data[: place + 20],
            "empty": b"",
            "size": data[:16] + size + data[24:],
            "text": b"not a picture",
        }
        path.write_bytes(contents[kind])
    for read in (read_picture, lambda path: read_labels(path, 4, None)):
        with pytest.raises(DataError, match="is no picture that can be read"):
            read(path)
